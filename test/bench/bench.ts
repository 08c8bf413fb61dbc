/**
 * What the scenarios of one run share: the servers, and sessions that have a history. A history is made by turns, like
 * anybody's; it takes most of a run's time, so each scenario takes the same sessions as far as it can.
 */
import { Random } from '../simulation/random.ts'
import type { BenchServer } from './bench-server.ts'
import { BenchSession, createSession } from './bench-session.ts'
import type { Figure } from './figure.ts'
import { ModelWorld } from './model-world.ts'
import { RawWorkerd, type RawWorkerdOptions } from './raw-workerd.ts'

export interface Scenario {
  /** As `--only` takes it. */
  name: string
  run(bench: Bench): Promise<Figure[]>
}

/** Messages of one turn: what was asked and what was answered. */
export const messagesPerTurn = 2
/** Histories are made side by side. */
const seedersAtOnce = 8

export interface BenchOptions {
  seed: number
  diskFolder: string
  progress: (text: string) => void
  /** Of a debugger for the raw server, from which CPU profiles can be taken. */
  inspectorPort?: number
}

export class Bench {
  /** Decides the order in which sessions are measured, and nothing else. */
  readonly random: Random
  /** A folder on the disk, where synchronising a write takes what it takes; the servers' state is elsewhere. */
  readonly diskFolder: string
  readonly #progress: (text: string) => void
  readonly #serverOptions: RawWorkerdOptions
  readonly #sized = new Map<number, string[]>()
  #raw: RawWorkerd | null = null
  #models: ModelWorld | null = null
  /** When the last turn ended; its session's alarm is due half a minute later at most. */
  lastTurnAt = 0

  constructor(options: BenchOptions) {
    this.random = new Random(options.seed)
    this.diskFolder = options.diskFolder
    this.#progress = options.progress
    this.#serverOptions = options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }
  }

  /** One line, written over by the next. */
  progress(text: string): void {
    this.#progress(text)
  }

  /** The server that most scenarios use: raw workerd, started when first asked for. */
  async raw(): Promise<BenchServer> {
    this.#raw ??= await RawWorkerd.start(this.#serverOptions)
    return this.#raw
  }

  /** A server of its own with a provider beside it, started when first asked for. */
  async models(): Promise<ModelWorld> {
    this.#models ??= await ModelWorld.start()
    return this.#models
  }

  /** Ids of `count` sessions of the raw server that had `messages` messages when they were made. */
  async sessionsOf(messages: number, count: number): Promise<string[]> {
    const server = await this.raw()
    const known = this.#sized.get(messages) ?? []
    this.#sized.set(messages, known)
    const missing = Array.from({ length: Math.max(0, count - known.length) }, (_, index) => index)
    let turns = 0
    const wanted = missing.length * (messages / messagesPerTurn)
    const tell = () =>
      ++turns % 100 === 0 && this.progress(`making ${missing.length} sessions of ${messages} messages: ${turns} of ${wanted} turns`)
    await inTurn(missing, seedersAtOnce, async () => {
      known.push(await makeSession(server, messages / messagesPerTurn, tell))
    })
    if (missing.length > 0) this.lastTurnAt = Date.now()
    return known.slice(0, count)
  }

  async stop(): Promise<void> {
    await Promise.all([this.#raw?.stop(), this.#models?.stop()])
    this.#raw = null
    this.#models = null
  }
}

async function makeSession(server: BenchServer, turns: number, onTurn: () => void): Promise<string> {
  const id = await createSession(server)
  const session = await BenchSession.attach(server, id)
  for (let i = 0; i < turns; i++) {
    await session.turn()
    onTurn()
  }
  session.close()
  return id
}

/** Runs `work` for each item, `atOnce` of them side by side. */
export async function inTurn<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const lane = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

/** The same items in a random order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.fraction() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
