/**
 * What one provider offers, as it was last read. However many ask, one request is under way; what is older than five minutes
 * is still answered while it is read again, and a provider that fails keeps what was known of it.
 *
 * A request may die with the call that began it and never settle, for a Worker cancels what nobody waits for: nobody waits
 * longer than a request can take, and one that is older is forgotten.
 */
import type { ListedModel } from './provider.ts'

const timeoutMs = 5000
const freshMs = 5 * 60_000
const failureRestMs = 15_000
/** Beyond the timeout, for the timers of two requests. */
const graceMs = 500

/** Keeps work going after the answer was sent, as `ExecutionContext.waitUntil` does. */
export type KeepAlive = (work: Promise<unknown>) => void

export interface CatalogState {
  models: readonly ListedModel[]
  /** When the models were read; null: never. */
  checkedAt: number | null
  /** Why the last attempt failed; null: it did not. */
  error: string | null
}

export class Catalog {
  readonly #read: (signal: AbortSignal) => Promise<ListedModel[]>
  /** Turns a failure into a sentence for people. */
  readonly #explain: (error: unknown) => string
  readonly #now: () => number
  #state: CatalogState = { models: [], checkedAt: null, error: null }
  #failedAt = -Infinity
  #flight: { work: Promise<void>; startedAt: number } | null = null

  constructor(read: (signal: AbortSignal) => Promise<ListedModel[]>, explain: (error: unknown) => string, now: () => number) {
    this.#read = read
    this.#explain = explain
    this.#now = now
  }

  /** Without asking. */
  get state(): CatalogState {
    return this.#state
  }

  /** Never rejects: a failure is part of the answer. With `keepAlive`, what is known is answered at once, however old. */
  async current(keepAlive?: KeepAlive): Promise<CatalogState> {
    const now = this.#now()
    const { checkedAt } = this.#state
    const isFresh = checkedAt !== null && now < checkedAt + freshMs
    if (isFresh || now < this.#failedAt + failureRestMs) return this.#state
    const { work, startedAt } = this.#fly(now)
    if (checkedAt !== null && keepAlive) keepAlive(work)
    else await within(work, startedAt + timeoutMs + graceMs - now)
    return this.#state
  }

  #fly(now: number): { work: Promise<void>; startedAt: number } {
    if (this.#flight && now < this.#flight.startedAt + timeoutMs + graceMs) return this.#flight
    this.#flight = { work: this.#refresh(now), startedAt: now }
    return this.#flight
  }

  async #refresh(startedAt: number): Promise<void> {
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      // A binding knows no signal.
      const models = await Promise.race([this.#read(signal), rejectedBy(signal)])
      this.#state = { models, checkedAt: this.#now(), error: null }
      this.#failedAt = -Infinity
    } catch (error) {
      this.#failedAt = this.#now()
      this.#state = { ...this.#state, error: this.#explain(error) }
    } finally {
      if (this.#flight?.startedAt === startedAt) this.#flight = null
    }
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
