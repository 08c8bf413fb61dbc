/**
 * The demo agent: no network, no key, no clock of its own, so that a newcomer sees every feature and a test can rely on it.
 * - DEM1 Deterministic: the same context gets the same words.
 * - DEM2 Every input gets an answer, whatever becomes of the tool it calls; only `/fail` and `/crash` fail a turn.
 * - DEM3 Each word of a reply is said, and its tool called, exactly once in its turn, and each steered input is acknowledged
 *   once, in the next words, however often the turn is steered or recovered. A steered command is acknowledged, never run.
 */
import type { AgentDefinition } from '../protocol/agent.ts'
import type { TokenUsage } from '../protocol/message.ts'
import { agentDefaults, type Agent, type AgentEvent, type StepRequest } from './agent.ts'
import { demoTraits } from './demo-traits.ts'
import { builtInNames } from './tools/built-in-names.ts'
import { noTools, type ToolSet } from './tools/tool.ts'
import { defaultPauseMs, parseDemoCommand } from './demo-command.ts'
import { type DemoReply, replyTo, type Speech } from './demo-reply.ts'
import { readDemoTurn } from './demo-turn.ts'

const CHARACTERS_PER_TOKEN = 4

/** What it has on a server: every built-in tool. */
export const demoDefinition: AgentDefinition = { tools: [...builtInNames] }

/** The agent with these tools. */
export function createDemoAgent(tools: () => Promise<ToolSet>): Agent {
  return {
    ...agentDefaults,
    ...demoTraits,
    version: null,
    tools,
    step,
  }
}

/** The agent without a tool: what can be said of it without asking. */
export const demoAgent = createDemoAgent(async () => noTools)

type CallPiece = Extract<AgentEvent, { type: 'tool-input' | 'tool-call' }>
type SpeechEnd = 'stop' | 'steered' | 'tool-calls'

interface SpokenCharacters {
  text: number
  reasoning: number
}

async function* step(request: StepRequest): AsyncGenerator<AgentEvent> {
  const spoken: SpokenCharacters = { text: 0, reasoning: 0 }
  const speech = speak(request)
  let next = await speech.next()
  for (; !next.done; next = await speech.next()) {
    const piece = next.value
    if (piece.type !== 'tool-call') spoken[piece.type === 'reasoning' ? 'reasoning' : 'text'] += piece.text.length
    yield piece
  }
  yield { type: 'finish', finishReason: next.value, usage: usageOf(request.contextTokens, spoken) }
}

async function* speak(request: StepRequest): AsyncGenerator<Speech | CallPiece, SpeechEnd> {
  const turn = readDemoTurn(request)
  if (turn.acknowledgement !== '') yield { type: 'text', text: turn.acknowledgement }
  const reply = replyTo(parseDemoCommand(turn.input.text), turn, request)
  if (reply.type === 'call') return yield* makeCall(reply, request)
  return yield* sayRest(reply, turn.wordsSaid, turn.acknowledgement !== '', request)
}

const MAX_INPUT_PIECES = 16
const MIN_PIECE_CHARACTERS = 4

/** Written piece by piece, as models do; a steered input waits until the call was made, for half a call is none. */
async function* makeCall({ toolName, input }: ToolCallReply, request: StepRequest): AsyncGenerator<CallPiece, SpeechEnd> {
  const json = JSON.stringify(input)
  const call = 'demo'
  const size = Math.max(MIN_PIECE_CHARACTERS, Math.ceil(json.length / MAX_INPUT_PIECES))
  for (let from = 0; from < json.length; from += size) {
    if (from > 0) await request.sleep(defaultPauseMs)
    yield { type: 'tool-input', call, toolName, text: json.slice(from, from + size) }
  }
  yield { type: 'tool-call', call, toolName, input }
  return 'tool-calls'
}

type ToolCallReply = Extract<DemoReply, { type: 'call' }>
type SpokenReply = Exclude<DemoReply, ToolCallReply>

async function* sayRest(
  reply: SpokenReply,
  wordsSaid: number,
  hasSpoken: boolean,
  request: StepRequest,
): AsyncGenerator<Speech, SpeechEnd> {
  // Blocks are never cut short: where a word of them is durable, all are.
  const rest = reply.type === 'words' ? skip(reply.words, wordsSaid) : wordsSaid > 0 ? [] : reply.blocks
  let isFirst = true
  for (const piece of rest) {
    // Something is said before a steer is looked for, or a step could end without a word.
    if (reply.type === 'words' && (hasSpoken || !isFirst)) {
      if (reply.pauseMs > 0) await request.sleep(reply.pauseMs)
      if (request.steerWaiting()) return 'steered'
    }
    yield isFirst ? begin(piece, hasSpoken) : piece
    isFirst = false
  }
  return 'stop'
}

/** The first piece stands at the start of its part, or in a new paragraph below an acknowledgement. */
function begin({ type, text }: Speech, isBelowAcknowledgement: boolean): Speech {
  const paragraph = isBelowAcknowledgement && type === 'text' ? '\n\n' : ''
  return { type, text: paragraph + text.trimStart() }
}

function* skip<T>(items: Iterable<T>, count: number): Generator<T> {
  let index = 0
  for (const item of items) if (index++ >= count) yield item
}

function usageOf(inputTokens: number, spoken: SpokenCharacters): TokenUsage {
  return {
    inputTokens,
    outputTokens: tokensOf(spoken.text + spoken.reasoning),
    cachedTokens: 0,
    reasoningTokens: tokensOf(spoken.reasoning),
  }
}

function tokensOf(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN)
}
