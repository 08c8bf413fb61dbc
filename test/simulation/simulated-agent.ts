/**
 * An agent that does all that agents do: streams, waits, stalls, says nothing, fails, throws, ends without a word about it,
 * takes up what was steered, and splits characters between two chunks. A rude one never looks at its signal and goes on
 * talking after it was cut. It remembers every invocation, for the model to compare with the log.
 */
import { AgentError, type Agent, type AgentEvent, type StepRequest } from '../../src/agents/agent.ts'
import type { TokenUsage } from '../../src/protocol/message.ts'
import { say, type Invocation, type Said } from './invocation.ts'
import type { Random } from './random.ts'
import type { SimulatedHost } from './simulated-host.ts'
import type { SimulatedObject } from './simulated-object.ts'

/** How long agents let people wait. */
export interface Patience {
  /** Nobody stalls any more: the schedule wants everything to come to rest. */
  isOver: boolean
  /** Until then everybody stalls: the turn is one that nobody gets anywhere with. */
  stuckUntil: number
}

const words = ['yes ', 'no ', 'the ', 'quick fox ', '\n', '**bold** ', 'é', '😀', '👩‍💻 ', '漢字 ', '"', '\\']
const usage: TokenUsage = { inputTokens: 3, outputTokens: 2, cachedTokens: 1, reasoningTokens: 0 }

export class SimulatedAgent implements Agent {
  readonly name: string
  readonly description = 'Says things, in its way.'
  readonly window = 1_000_000
  readonly recovery: 'resume' | 'interrupt'
  readonly #object: SimulatedObject
  readonly #random: Random
  readonly #patience: Patience

  constructor(name: string, recovery: 'resume' | 'interrupt', object: SimulatedObject, patience: Patience) {
    this.name = name
    this.recovery = recovery
    this.#object = object
    this.#random = object.random
    this.#patience = patience
  }

  /** What it says is noted before it is said: a session that was cut in between may have heard it or not. */
  async *step(request: StepRequest): AsyncGenerator<AgentEvent> {
    const { host } = this.#object
    const invocation = this.#begin(request)
    const isRude = this.#random.chance(0.2)
    const pauseMs = this.#random.weighted([
      [3, 0],
      [4, 15],
      [3, 150],
      [1, 3000],
    ])
    for (const chunk of this.#chunks(invocation.ordinal)) {
      await this.#pause(request, host, isRude, pauseMs)
      say(invocation.said, chunk.type, chunk.text)
      yield { type: chunk.type, text: chunk.text }
      if (request.steerWaiting() && this.#random.chance(0.3)) {
        invocation.ending = 'steered'
        yield { type: 'finish', finishReason: 'steered', usage }
        return
      }
    }
    await this.#pause(request, host, isRude, pauseMs)
    yield* this.#end(invocation)
  }

  /** The words of an error that was not made for people carry a mark, which must never reach anybody (SEC4). */
  *#end(invocation: Invocation): Generator<AgentEvent> {
    const ending = this.#random.weighted([
      [14, 'stop'],
      [1, 'length'],
      [1.2, 'failed'],
      [0.8, 'threw'],
      [0.4, 'returned'],
    ] as const)
    invocation.ending = ending
    if (ending === 'failed') throw new AgentError('The model is out of tea.')
    if (ending === 'threw') throw new TypeError(`cannot read ~run${invocation.ordinal}~ of undefined`)
    if (ending !== 'returned') yield { type: 'finish', finishReason: ending, usage }
  }

  #begin(request: StepRequest): Invocation {
    const { history } = this.#object
    const invocation: Invocation = {
      ordinal: history.invocations.length + 1,
      turnId: request.turnId,
      step: request.step,
      contextIds: request.context.map((message) => message.id),
      steeredIds: request.steered.map((message) => message.id),
      restartsBefore: history.restarts,
      said: [],
      ending: null,
    }
    history.invocations.push(invocation)
    history.note(`agent begins run ${invocation.ordinal}: step ${request.step} of ${request.turnId}`)
    return invocation
  }

  async #pause(request: StepRequest, host: SimulatedHost, isRude: boolean, pauseMs: number): Promise<void> {
    const isStuck = this.#object.clock.now < this.#patience.stuckUntil
    const isStall = isStuck || (!this.#patience.isOver && this.#random.chance(0.01))
    const ms = isStall ? this.#random.pick([10_000, 100_000, 400_000]) : this.#random.between(0, pauseMs)
    if (ms === 0) return
    // A rude agent waits by itself, so that no signal reaches it.
    if (isRude) await host.wait(ms)
    else await request.sleep(ms)
  }

  #chunks(ordinal: number): Said[] {
    const count = this.#random.weighted([
      [1, 0],
      [3, 1],
      [6, this.#random.between(2, 6)],
      [3, this.#random.between(7, 20)],
    ])
    const chunks: Said[] = []
    let type: Said['type'] = this.#random.chance(0.2) ? 'reasoning' : 'text'
    for (let i = 0; i < count; i++) {
      if (this.#random.chance(0.1)) type = type === 'text' ? 'reasoning' : 'text'
      chunks.push({ type, text: i === 0 ? `~run${ordinal}~ ` : this.#random.pick(words) })
    }
    return this.#random.chance(0.3) ? chunks.flatMap(halves) : chunks
  }
}

/** Cuts where it hurts: between the two halves of a surrogate pair, where there is one. */
function halves(chunk: Said): Said[] {
  const pair = chunk.text.search(/[\ud800-\udbff][\udc00-\udfff]/)
  const cut = pair < 0 ? 1 : pair + 1
  return [chunk.text.slice(0, cut), chunk.text.slice(cut)].filter((text) => text !== '').map((text) => ({ type: chunk.type, text }))
}
