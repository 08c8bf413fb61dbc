/**
 * What the server adds to a step over the bare call of its provider: a turn over a socket, from sending the command to the
 * terminal event, against the same calls made directly, in the same run and in a random order. Both get the same answers to
 * the same requests, which leave a provider on loopback at once, so what is measured is work and not waiting.
 */
import type { Answer } from '../upstream/answer.ts'
import { bareCallsOf, callBare, depths, type BareCall, type Depth } from './bare-call.ts'
import type { BenchSession } from './bench-session.ts'
import { shuffled, type Scenario } from './bench.ts'
import type { Figure } from './figure.ts'
import { fortyPieces, oneCalculation, type ModelWorld } from './model-world.ts'
import { summarize } from './samples.ts'

const rounds = 240
const warmUpRounds = 40
/** A longer history makes longer requests: each session gives so many turns, then the next one takes its place. */
const turnsOfOneSession = 4
const question = 'What is six times seven?'

export const stepOverhead: Scenario = {
  name: 'step-overhead',
  async run(bench) {
    const world = await bench.models()
    const kinds = [
      await TurnKind.prepare(world, { name: 'text', steps: [fortyPieces] }),
      await TurnKind.prepare(world, { name: 'tool call and text', steps: [oneCalculation, fortyPieces] }),
    ]
    const measures = kinds.flatMap((kind) => kind.measures)
    for (let round = -warmUpRounds; round < rounds; round++) {
      bench.progress(`step overhead: round ${Math.max(0, round)} of ${rounds}`)
      for (const measure of shuffled(measures, bench.random)) await measure(round >= 0)
    }
    return kinds.flatMap((kind) => kind.figures())
  },
}

/** `counts`: it is no warm-up. */
type Measure = (counts: boolean) => Promise<void>

interface KindSpec {
  name: string
  steps: Answer[]
}

/** Turns of one shape, and the same calls without the server. */
class TurnKind {
  readonly measures: readonly Measure[]
  readonly #world: ModelWorld
  readonly #spec: KindSpec
  readonly #calls: readonly BareCall[]
  readonly #turnMs: number[] = []
  readonly #bareMs: Record<Depth, number[]> = { plain: [], package: [] }
  #session: BenchSession | null = null
  #turns = 0

  private constructor(world: ModelWorld, spec: KindSpec, calls: readonly BareCall[]) {
    this.#world = world
    this.#spec = spec
    this.#calls = calls
    this.measures = [
      (counts) => this.#turn(counts),
      ...depths.map(
        (depth): Measure =>
          (counts) =>
            this.#bare(depth, counts),
      ),
    ]
  }

  /** One turn is made for its requests. */
  static async prepare(world: ModelWorld, spec: KindSpec): Promise<TurnKind> {
    const [model, bareModel] = modelsOf(spec)
    await world.script(model, spec.steps, 1 + warmUpRounds + rounds)
    await world.script(bareModel, spec.steps, depths.length * (warmUpRounds + rounds))
    const session = await world.session(model)
    await session.turn(() => {}, question)
    session.close()
    return new TurnKind(world, spec, await bareCallsOf(world, model, spec.steps.length, bareModel))
  }

  async #bare(depth: Depth, counts: boolean): Promise<void> {
    const ms = await callBare(this.#calls, depth)
    if (counts) this.#bareMs[depth].push(ms)
  }

  async #turn(counts: boolean): Promise<void> {
    if (this.#turns++ % turnsOfOneSession === 0) this.#session?.close()
    else if (this.#session) return this.#timed(this.#session, counts)
    this.#session = await this.#world.session(modelsOf(this.#spec)[0])
    await this.#timed(this.#session, counts)
  }

  async #timed(session: BenchSession, counts: boolean): Promise<void> {
    const ms = await session.turn(() => {}, question)
    if (counts) this.#turnMs.push(ms)
  }

  figures(): Figure[] {
    return depths.flatMap((depth) => this.#figuresOver(depth))
  }

  #figuresOver(depth: Depth): Figure[] {
    const { name, steps } = this.#spec
    const [turn, bare] = [summarize(this.#turnMs), summarize(this.#bareMs[depth])]
    const added = summarize(this.#turnMs.map((ms) => (ms - bare.p50) / steps.length))
    const note = `turn ${turn.p50.toFixed(2)}, bare ${bare.p50.toFixed(2)} ms at p50; each turn less the bare calls' p50, per step`
    const whose = depth === 'plain' ? 'a plain fetch' : 'the package in a bare Worker'
    return [
      { name: `added per step over ${whose} p50, ${name}`, value: added.p50, unit: 'ms', bar: null, note, samples: added },
      { name: `added per step over ${whose} p95, ${name}`, value: added.p95, unit: 'ms', bar: null },
    ]
  }
}

function modelsOf({ name }: KindSpec): [turn: string, bare: string] {
  const word = name.replaceAll(' ', '-')
  return [`overhead-${word}`, `bare-${word}`]
}
