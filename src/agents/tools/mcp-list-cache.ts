/**
 * What MCP servers were last asked for, kept for all objects of an isolate: fresh for a while, then still answered while it is
 * read anew. A server that is down is asked again only after a pause, and what it last said counts for some minutes.
 *
 * Many may wait for one reading. In workerd a promise of another object settles only if that object lives: whoever waits has
 * a limit, and then reads for itself.
 */
export interface CacheTimes {
  freshMs: number
  /** Beyond, whoever asks waits for the new reading. */
  staleMs: number
  /** After a failure nobody asks again for so long. */
  pauseMs: number
  /** From the first failure on, the last known counts for so long. */
  graceMs: number
  /** The longest that one reading may take. */
  readMs: number
  entries: number
}

interface Entry<T> {
  value: T | null
  readAt: number
  /** Null: the last reading went well. */
  down: { since: number; lastAt: number } | null
  reading: Reading | null
}

interface Reading {
  /** Never rejects. */
  promise: Promise<void>
  startedAt: number
}

export class McpListCache<T> {
  readonly #times: CacheTimes
  readonly #now: () => number
  readonly #entries = new Map<string, Entry<T>>()

  constructor(times: CacheTimes, now: () => number) {
    this.#times = times
    this.#now = now
  }

  /** Null: there is nothing to go by. Never rejects; `load` may, for that is a server that is down. */
  async read(key: string, load: () => Promise<T>): Promise<T | null> {
    const entry = this.#entry(key)
    const { freshMs, staleMs, pauseMs } = this.#times
    const age = this.#now() - entry.readAt
    if (entry.value !== null && age < freshMs) return entry.value
    if (entry.down && this.#now() - entry.down.lastAt < pauseMs) return this.#lastKnown(entry)
    const reading = this.#reading(entry, load)
    if (entry.value === null || age >= staleMs) await this.#outcome(entry, reading, load)
    return this.#lastKnown(entry)
  }

  async #outcome(entry: Entry<T>, reading: Reading, load: () => Promise<T>): Promise<void> {
    if (await this.#ends(reading)) return
    // Whoever was reading died in the middle of it.
    if (entry.reading === reading) entry.reading = null
    await this.#ends(this.#reading(entry, load))
  }

  /** The most recently used ones are kept. */
  #entry(key: string): Entry<T> {
    const entry = this.#entries.get(key) ?? { value: null, readAt: -Infinity, down: null, reading: null }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#times.entries) break
      this.#entries.delete(oldest)
    }
    return entry
  }

  #reading(entry: Entry<T>, load: () => Promise<T>): Reading {
    if (entry.reading && this.#leftMs(entry.reading) > 0) return entry.reading
    const reading = { promise: this.#load(entry, load), startedAt: this.#now() }
    entry.reading = reading
    void reading.promise.finally(() => {
      if (entry.reading === reading) entry.reading = null
    })
    return reading
  }

  async #load(entry: Entry<T>, load: () => Promise<T>): Promise<void> {
    try {
      entry.value = await load()
      entry.readAt = this.#now()
      entry.down = null
    } catch {
      entry.down = { since: entry.down?.since ?? this.#now(), lastAt: this.#now() }
    }
  }

  #leftMs({ startedAt }: Reading): number {
    return this.#times.readMs - (this.#now() - startedAt)
  }

  #lastKnown(entry: Entry<T>): T | null {
    if (entry.down && this.#now() - entry.down.since >= this.#times.graceMs) entry.value = null
    return entry.value
  }

  /** False: it did not come to its end in time. */
  #ends(reading: Reading): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), this.#leftMs(reading))
      void reading.promise.then(() => resolve(true)).finally(() => clearTimeout(timer))
    })
  }
}
