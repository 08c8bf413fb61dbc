/**
 * The demo agent: no network, no key, no clock of its own, so that a newcomer sees every feature and a test can rely on it.
 * - DEM1 Deterministic: the same context gets the same words.
 * - DEM2 Every input gets an answer; only `/fail` and `/crash` fail a turn.
 * - DEM3 Each word of a reply is said exactly once in its turn, and each steered input is acknowledged once, in the next
 *   words, however often the turn is steered or recovered. A steered command is acknowledged as text, never run.
 */
import type { TokenUsage } from '../protocol/message.ts'
import { agentDefaults, type Agent, type AgentEvent, type StepRequest } from './agent.ts'
import { noTools } from './tools/tool.ts'
import { parseDemoCommand } from './demo-command.ts'
import { type DemoReply, replyTo, type Speech } from './demo-reply.ts'
import { readDemoTurn } from './demo-turn.ts'

const CHARACTERS_PER_TOKEN = 4

export const demoAgent: Agent = {
  ...agentDefaults,
  name: 'demo',
  version: null,
  description: 'Repeats what you say; commands like /stream 40 show what a session can do. Needs no model and no network.',
  window: 32_000,
  tools: async () => noTools,
  step,
}

type SpokenCharacters = Record<Speech['type'], number>

async function* step(request: StepRequest): AsyncGenerator<AgentEvent> {
  const spoken: SpokenCharacters = { text: 0, reasoning: 0 }
  const speech = speak(request)
  let next = await speech.next()
  for (; !next.done; next = await speech.next()) {
    spoken[next.value.type] += next.value.text.length
    yield next.value
  }
  yield { type: 'finish', finishReason: next.value, usage: usageOf(request.contextTokens, spoken) }
}

type SpeechEnd = 'stop' | 'steered'

async function* speak(request: StepRequest): AsyncGenerator<Speech, SpeechEnd> {
  const turn = readDemoTurn(request)
  if (turn.acknowledgement !== '') yield { type: 'text', text: turn.acknowledgement }
  const reply = replyTo(parseDemoCommand(turn.input.text), turn, request)
  return yield* sayRest(reply, turn.wordsSaid, turn.acknowledgement !== '', request)
}

async function* sayRest(reply: DemoReply, wordsSaid: number, hasSpoken: boolean, request: StepRequest): AsyncGenerator<Speech, SpeechEnd> {
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
