/**
 * An agent that does all that agents do: streams, waits, stalls, says nothing, calls tools, fails, throws, ends without a word
 * about it, takes up what was steered, and splits characters between two chunks. A rude one never looks at its signal and
 * goes on talking after it was cut. It remembers every invocation, for the model to compare with the log.
 */
import { agentDefaults, AgentError, type Agent, type AgentEvent, type StepRequest } from '../../src/agents/agent.ts'
import type { ToolSet } from '../../src/agents/tools/tool.ts'
import type { Message, TokenUsage } from '../../src/protocol/message.ts'
import type { Budgets } from '../../src/protocol/policy.ts'
import { callsToWrite, type CallToWrite } from './calls-to-write.ts'
import { say, type Invocation, type Said } from './invocation.ts'
import type { Rules } from './log-model.ts'
import type { Random } from './random.ts'
import type { SimulatedObject } from './simulated-object.ts'
import { simulatedTools } from './simulated-tools.ts'
import { agentPolicies } from './tool-rules.ts'

/** How long agents let people wait. */
export interface Patience {
  /** Nobody stalls any more: the schedule wants everything to come to rest. */
  isOver: boolean
  /** Until then everybody stalls: the turn is one that nobody gets anywhere with. */
  stuckUntil: number
}

interface Chunk {
  type: 'text' | 'reasoning'
  text: string
}

type Words = Exclude<AgentEvent, { type: 'finish' }>

/** How one invocation behaves. */
interface Manner {
  isRude: boolean
  pauseMs: number
}

const words = ['yes ', 'no ', 'the ', 'quick fox ', '\n', '**bold** ', 'é', '😀', '👩‍💻 ', '漢字 ', '"', '\\']
const usage: TokenUsage = { inputTokens: 3, outputTokens: 2, cachedTokens: 1, reasoningTokens: 0 }

export class SimulatedAgent implements Agent {
  readonly name: string
  readonly version: string
  readonly description = 'Says things, in its way.'
  readonly window = 1_000_000
  readonly recovery: 'resume' | 'interrupt'
  readonly policies = agentPolicies
  readonly budgets: Budgets
  readonly approvalExpiresInSeconds: number
  readonly timeouts = agentDefaults.timeouts
  readonly #object: SimulatedObject
  readonly #random: Random
  readonly #patience: Patience

  constructor(name: string, version: string, rules: Rules, object: SimulatedObject, patience: Patience) {
    this.name = name
    this.version = version
    this.recovery = name === 'quitter' ? 'interrupt' : 'resume'
    this.budgets = rules.budgets
    this.approvalExpiresInSeconds = rules.approvalExpiresInMs / 1000
    this.#object = object
    this.#random = object.random
    this.#patience = patience
  }

  async tools(): Promise<ToolSet> {
    if (this.#random.chance(0.05)) await this.#object.host.wait(this.#random.between(1, 50))
    return simulatedTools(this.#object)
  }

  /** What it says is noted before it is said: a session that was cut in between may have heard it or not. */
  async *step(request: StepRequest): AsyncGenerator<AgentEvent> {
    const { host } = this.#object
    const invocation = this.#begin(request)
    const manner = this.#drawManner()
    // A rude agent waits by itself, so that no signal reaches it.
    const wait = manner.isRude ? (ms: number) => host.wait(ms) : (ms: number) => request.sleep(ms)
    for (const chunk of this.#chunks(invocation.ordinal)) {
      await this.#pause(invocation, manner, wait)
      say(invocation.said, chunk.type, chunk.text)
      yield chunk
      if (request.steerWaiting() && this.#random.chance(0.3)) {
        invocation.ending = 'steered'
        yield { type: 'finish', finishReason: 'steered', usage }
        return
      }
    }
    const calls = callsToWrite(this.#random, invocation.ordinal, this.#patience.isOver)
    for (const event of this.#write(invocation.said, calls)) {
      yield event
      await this.#pause(invocation, manner, wait)
    }
    await this.#pause(invocation, manner, wait)
    yield* this.#end(invocation, calls.length > 0)
  }

  #drawManner(): Manner {
    const isRude = this.#random.chance(0.2)
    const pauseMs = this.#random.weighted([
      [3, 0],
      [4, 15],
      [3, 150],
      [1, 3000],
    ])
    return { isRude, pauseMs }
  }

  /** One call after the other, or all of them side by side, and then complete. */
  *#write(said: Said[], calls: readonly CallToWrite[]): Generator<Words> {
    const isSideBySide = this.#random.chance(0.3) && calls.every(({ pieces }) => pieces.length > 0)
    for (const round of isSideBySide ? [calls] : calls.map((call) => [call])) {
      const parts = round.map((call) => ({ ...call, part: { type: 'tool-call', text: '' } satisfies Said }))
      for (const turn of [0, 1]) {
        for (const { call, toolName, pieces, part } of parts) {
          const text = pieces[turn]
          if (text === undefined) continue
          if (turn === 0) said.push(part)
          part.text += text
          yield { type: 'tool-input', call, toolName, text }
        }
      }
      for (const { call, toolName, input, problem, pieces, part } of parts) {
        if (pieces.length === 0) said.push(Object.assign(part, { text: JSON.stringify(input) }))
        yield { type: 'tool-call', call, toolName, input, ...(problem !== null && { problem }) }
      }
    }
  }

  /** The words of an error that was not made for people carry a mark, which must never reach anybody (SEC4). */
  *#end(invocation: Invocation, hasCalls: boolean): Generator<AgentEvent> {
    const ending = this.#random.weighted([
      [14, hasCalls ? 'tool-calls' : 'stop'],
      [1, hasCalls ? 'stop' : 'length'],
      [1, 'failed'],
      [0.8, 'cut'],
      [0.8, 'threw'],
      [0.4, 'returned'],
    ] as const)
    invocation.ending = ending === 'cut' ? 'failed' : ending
    if (ending === 'failed') throw new AgentError('The model is out of tea.')
    if (ending === 'cut') throw new AgentError('The model was cut off.', { retryAfterMs: this.#random.pick([0, 100, 5000, 100_000]) })
    if (ending === 'threw') throw new TypeError(`cannot read ~run${invocation.ordinal}~ of undefined`)
    if (ending !== 'returned') yield { type: 'finish', finishReason: ending, usage, model: 'sim/one' }
  }

  #begin(request: StepRequest): Invocation {
    const { history } = this.#object
    const invocation: Invocation = {
      ordinal: history.invocations.length + 1,
      turnId: request.turnId,
      step: request.step,
      agentVersion: this.version,
      contextIds: request.context.map((message) => message.id),
      steeredIds: request.steered.map((message) => message.id),
      restartsBefore: history.restarts,
      said: [],
      ending: null,
    }
    history.invocations.push(invocation)
    history.note(`agent begins run ${invocation.ordinal}: step ${request.step} of ${request.turnId}`)
    const unanswered = callsWithoutOneResult(request.context)
    if (unanswered.length > 0) history.violate('TRN3', `run ${invocation.ordinal} is given calls without one result: ${unanswered.join()}`)
    return invocation
  }

  /** A stall that is longer than the session's patience is a reason for its turn to fail. */
  async #pause(invocation: Invocation, { pauseMs }: Manner, wait: (ms: number) => Promise<void>): Promise<void> {
    const isStuck = this.#object.clock.now < this.#patience.stuckUntil
    const isStall = isStuck || (!this.#patience.isOver && this.#random.chance(0.01))
    const ms = isStall ? this.#random.pick([10_000, 100_000, 400_000]) : this.#random.between(0, pauseMs)
    if (ms === 0) return
    if (isStall) invocation.ending = 'stalled'
    await wait(ms)
    invocation.ending = null
  }

  #chunks(ordinal: number): Chunk[] {
    const count = this.#random.weighted([
      [1, 0],
      [3, 1],
      [6, this.#random.between(2, 6)],
      [3, this.#random.between(7, 20)],
    ])
    const chunks: Chunk[] = []
    let type: Chunk['type'] = this.#random.chance(0.2) ? 'reasoning' : 'text'
    for (let i = 0; i < count; i++) {
      if (this.#random.chance(0.1)) type = type === 'text' ? 'reasoning' : 'text'
      chunks.push({ type, text: i === 0 ? `~run${ordinal}~ ` : this.#random.pick(words) })
    }
    return this.#random.chance(0.3) ? chunks.flatMap(halves) : chunks
  }
}

/** Cuts where it hurts: between the two halves of a surrogate pair, where there is one. */
function halves(chunk: Chunk): Chunk[] {
  const pair = chunk.text.search(/[\ud800-\udbff][\udc00-\udfff]/)
  const cut = pair < 0 ? 1 : pair + 1
  return [chunk.text.slice(0, cut), chunk.text.slice(cut)].filter((text) => text !== '').map((text) => ({ type: chunk.type, text }))
}

function callsWithoutOneResult(context: readonly Message[]): string[] {
  const counts = new Map<string, number>()
  for (const { parts } of context) {
    for (const part of parts) {
      if (part.type === 'tool-call') counts.set(part.toolCallId, 0)
      if (part.type === 'tool-result') counts.set(part.toolCallId, (counts.get(part.toolCallId) ?? -9) + 1)
    }
  }
  return [...counts].flatMap(([toolCallId, count]) => (count === 1 ? [] : [toolCallId]))
}
