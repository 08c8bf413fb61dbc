/** The session index, as bad as D1 may ever be: it fails, hangs, or is slow. What it keeps is guarded by version (IDX1). */
import { isDeepStrictEqual } from 'node:util'
import type { IndexEntry, IndexWriter } from '../../src/session-index/index-entry.ts'
import type { History } from './history.ts'
import type { SimulatedObject } from './simulated-object.ts'

export type IndexHealth = 'well' | 'slow' | 'fails' | 'hangs' | 'forgets to answer'

export class SimulatedIndex implements IndexWriter {
  health: IndexHealth = 'well'
  row: IndexEntry | null = null
  readonly #object: SimulatedObject
  readonly #history: History
  readonly #seen = new Map<number, IndexEntry>()

  constructor(object: SimulatedObject) {
    this.#object = object
    this.#history = object.history
  }

  async upsert(entry: IndexEntry): Promise<void> {
    await this.#reach()
    this.#check(entry)
    if (entry.version > (this.row?.version ?? 0)) this.row = structuredClone(entry)
    if (this.health === 'forgets to answer') await this.#object.host.wait(3_600_000)
  }

  async bury(): Promise<void> {
    await this.#reach()
  }

  async forget(): Promise<void> {
    await this.#reach()
  }

  async #reach(): Promise<void> {
    const { random, host } = this.#object
    // A request leaves the object like a frame does: when all that was written before it is durable.
    await new Promise<void>((resolve) => this.#object.release(resolve))
    if (this.health === 'hangs') await host.wait(3_600_000)
    await host.wait(this.health === 'slow' ? random.between(500, 8000) : random.between(1, 10))
    if (this.health === 'fails') throw new Error('D1_ERROR: the index is down')
  }

  /** An entry is a function of the log up to its version, like the session. */
  #check(entry: IndexEntry): void {
    const known = this.#seen.get(entry.version)
    this.#seen.set(entry.version, structuredClone(entry))
    if (known && !isDeepStrictEqual(known, entry)) {
      this.#history.violate('IDX1', `the index is told two things of version ${entry.version}: ${JSON.stringify([known, entry])}`)
    }
  }
}
