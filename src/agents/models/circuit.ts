/**
 * A circuit breaker: a provider that fails again and again is left alone for a while, and calls to it fail at once.
 * - Closed: calls go. Five failures in a row open it.
 * - Open: no call goes until it has rested.
 * - Half-open: one call goes. Its first words close the circuit, its failure opens it again.
 *
 * Of our own, since the outcome of a stream comes in pieces (words, the end, a cancel that says nothing about the provider),
 * and a call must not wait for the one that is tried: promises of another request may never settle in a Worker.
 */

const maxFailures = 5
const restMs = 15_000
/** A call that is tried and never heard of again, because its object died, does not keep others out for longer. */
const trialMs = 30_000
/** What a call is told to wait that came while another was tried. */
const trialRestMs = 1000

export interface Pass {
  /** The first words came. */
  answered(): void
  succeeded(): void
  failed(): void
  /** The call is over, whatever came of it. */
  left(): void
}

export class Circuit {
  readonly #now: () => number
  #failures = 0
  #openedAt: number | null = null
  #trial: { since: number } | null = null

  constructor(now: () => number) {
    this.#now = now
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#openedAt === null) return 'closed'
    return this.#now() < this.#openedAt + restMs ? 'open' : 'half-open'
  }

  /** Milliseconds until a call may go; 0: now. */
  restMs(): number {
    if (this.#openedAt === null) return 0
    const now = this.#now()
    const rest = this.#openedAt + restMs - now
    if (rest > 0) return rest
    return this.#trial && now < this.#trial.since + trialMs ? trialRestMs : 0
  }

  /** A call goes: `restMs` was 0. */
  enter(): Pass {
    const trial = this.#openedAt === null ? null : { since: this.#now() }
    this.#trial = trial
    const isTried = () => trial !== null && this.#trial === trial
    return {
      answered: () => isTried() && this.#close(),
      succeeded: () => {
        if (isTried() || this.#openedAt === null) this.#close()
      },
      failed: () => {
        if (isTried()) this.#open()
        else if (this.#openedAt === null && ++this.#failures >= maxFailures) this.#open()
      },
      left: () => {
        if (isTried()) this.#trial = null
      },
    }
  }

  #open(): void {
    this.#openedAt = this.#now()
    this.#trial = null
  }

  #close(): void {
    this.#failures = 0
    this.#openedAt = null
    this.#trial = null
  }
}
