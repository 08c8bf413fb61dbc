/**
 * Runs turns of the demo agent the way a session does: steps in a loop, steered inputs placed before the words of the step
 * whose context held them, a crashed step done again from the durable messages. A tool answers what the scenario says, or
 * how it was called. Time is counted, not waited for.
 */
import { AgentError, type AgentEvent, type StepRequest } from '../../src/agents/agent.ts'
import { demoAgent } from '../../src/agents/demo-agent.ts'
import { noTools } from '../../src/agents/tools/tool.ts'
import { estimateTokens } from '../../src/core/tokens.ts'
import { messageIdAt, toolCallIdAt, turnIdAt } from '../../src/protocol/ids.ts'
import type { InputPart, Message, Part, TokenUsage, ToolCallPart, ToolResultPart } from '../../src/protocol/message.ts'

export const turnId = turnIdAt(7, 'ABCDEFGHJKMNPQRS')
const otherTurnId = turnIdAt(2, 'TVWXYZ0123456789')

export function messageOf(role: Message['role'], input: string | Part[], seq = 1, ofTurn = turnId): Message {
  const parts: Part[] = typeof input === 'string' ? [{ type: 'text', text: input }] : input
  return { id: messageIdAt(seq, 0, ofTurn), seq, turnId: ofTurn, role, parts, createdAt: 1_000 + seq }
}

/** A turn that came before. */
export const history = [messageOf('user', 'earlier question', 3, otherTurnId), messageOf('assistant', 'earlier answer', 4, otherTurnId)]

export interface Scenario {
  /** Steered inputs; each arrives once so many pieces have been heard in the whole turn. */
  steers?: { afterPieces: number; input: string | InputPart[] }[]
  /** The object dies once so many pieces have been heard in the whole turn. */
  crashes?: number[]
  history?: Message[]
  /** What becomes of every call; while it runs, steered inputs arrive. */
  outcome?: Pick<ToolResultPart, 'output' | 'isError'> & { steers?: string[] }
}

export interface StepRun {
  events: AgentEvent[]
  parts: Part[]
  finishReason: string
  usage: TokenUsage
  /** The steered inputs it consumed. */
  steered: Message[]
}

export interface TurnRun {
  steps: StepRun[]
  sleeps: number[]
  context: Message[]
}

class Crash extends Error {}

export async function runTurn(input: string | InputPart[], scenario: Scenario = {}): Promise<TurnRun> {
  const arriving = [...(scenario.steers ?? [])].sort((a, b) => a.afterPieces - b.afterPieces)
  const crashes = [...(scenario.crashes ?? [])].sort((a, b) => a - b)
  const context = [...(scenario.history ?? []), messageOf('user', input, 8)]
  const run: TurnRun = { steps: [], sleeps: [], context }
  let waiting: Message[] = []
  let pieces = 0
  let seq = 9

  const hear = () => {
    pieces++
    if ((crashes[0] ?? Infinity) <= pieces) {
      crashes.shift()
      throw new Crash()
    }
    while ((arriving[0]?.afterPieces ?? Infinity) <= pieces) waiting.push(messageOf('user', arriving.shift()?.input ?? '', seq++))
  }

  do {
    const steered = waiting
    waiting = []
    const request = requestOf([...context, ...steered], { steered, steerWaiting: () => waiting.length > 0, sleeps: run.sleeps })
    try {
      const done = await runStep(request, hear)
      run.steps.push(done)
      context.push(...steered, { ...messageOf('assistant', done.parts, seq++), finishReason: done.finishReason })
      for (const part of done.parts) if (part.type === 'tool-call') context.push(messageOf('tool', [resultOf(part, scenario)], seq++))
      if (done.finishReason === 'tool-calls')
        for (const text of scenario.outcome?.steers ?? []) waiting.push(messageOf('user', text, seq++))
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      // Nothing of the step is durable; what was steered still waits to be consumed.
      waiting = [...steered, ...waiting]
      continue
    }
  } while (waiting.length > 0 || run.steps.at(-1)?.finishReason !== 'stop')
  return run
}

function resultOf({ toolCallId, toolName, input }: ToolCallPart, { outcome }: Scenario): ToolResultPart {
  const { output, isError } = outcome ?? { output: input, isError: false }
  return { type: 'tool-result', toolCallId, toolName, output, isError }
}

interface RequestOptions {
  steered?: Message[]
  steerWaiting?: () => boolean
  sleeps?: number[]
  sleep?: (ms: number) => Promise<void>
}

export function requestOf(context: Message[], options: RequestOptions = {}): StepRequest {
  return {
    sessionId: 'ses_00000000000000000000000000',
    turnId,
    step: 1,
    instructions: null,
    context,
    contextTokens: context.reduce((sum, { parts }) => sum + estimateTokens(parts), 0),
    notes: [],
    tools: noTools,
    steered: options.steered ?? [],
    steerWaiting: options.steerWaiting ?? (() => false),
    signal: new AbortController().signal,
    sleep: options.sleep ?? (async (ms) => void options.sleeps?.push(ms)),
  }
}

export async function runStep(request: StepRequest, hear: () => void = () => {}): Promise<StepRun> {
  const events: AgentEvent[] = []
  const parts: Part[] = []
  for await (const event of demoAgent.step(request)) {
    events.push(event)
    if (event.type === 'finish') {
      return { events, parts, finishReason: event.finishReason, usage: event.usage, steered: request.steered }
    }
    addTo(parts, event)
    hear()
  }
  throw new Error('The step ended without a finish.')
}

/** As a session puts a message together; a call counts when it is complete. */
function addTo(parts: Part[], event: Exclude<AgentEvent, { type: 'finish' }>): void {
  if (event.type === 'part-end') throw new Error('The demo agent ends no part by itself.')
  if (event.type === 'tool-input') return
  const last = parts.at(-1)
  if (event.type === 'tool-call') {
    const { toolName, input } = event
    parts.push({ type: 'tool-call', toolCallId: toolCallIdAt(messageIdAt(9, 1, turnId), 0), toolName, input })
  } else if (last?.type === event.type) last.text += event.text
  else parts.push({ type: event.type, text: event.text })
}

export function textOf(parts: Part[], type: 'text' | 'reasoning' = 'text'): string {
  return parts.flatMap((part) => (part.type === type ? [part.text] : [])).join('')
}

/** The text of a turn that takes one step. */
export async function answerTo(input: string | InputPart[], before: Message[] = []): Promise<string> {
  const { steps } = await runTurn(input, { history: before })
  if (steps.length !== 1) throw new Error(`The turn took ${steps.length} steps.`)
  return textOf(steps[0]?.parts ?? [])
}

export async function failureOf(input: string): Promise<{ isForPeople: boolean; message: string }> {
  try {
    await runTurn(input)
  } catch (error) {
    if (error instanceof Error) return { isForPeople: error instanceof AgentError, message: error.message }
  }
  throw new Error('The turn did not fail.')
}
