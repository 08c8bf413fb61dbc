/**
 * Calls out when something takes too long in all, or is silent for too long. One timer, set again only when it
 * fires, and once when the first sign of life comes.
 */
import type { Host } from './host.ts'

export interface Patience {
  totalMs: number
  /** Until something is heard for the first time. */
  firstMs: number
  /** From then on. */
  silentMs: number
}

export class Watchdog {
  readonly #host: Host
  readonly #patience: Patience
  readonly #onTimeout: (why: 'total' | 'silent') => void
  readonly #startedAt: number
  #heardAt: number
  #hasHeard = false
  #cancelTimer: (() => void) | null = null

  constructor(host: Host, patience: Patience, onTimeout: (why: 'total' | 'silent') => void) {
    this.#host = host
    this.#patience = patience
    this.#onTimeout = onTimeout
    this.#startedAt = host.now()
    this.#heardAt = this.#startedAt
    this.#arm()
  }

  /** Something was heard. */
  heard(): void {
    this.#heardAt = this.#host.now()
    if (this.#hasHeard) return
    // What was waited for until now may be far away.
    this.#hasHeard = true
    this.stop()
    this.#arm()
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }

  #arm(): void {
    const now = this.#host.now()
    const totalMs = this.#startedAt + this.#patience.totalMs - now
    const { firstMs, silentMs: laterMs } = this.#patience
    const silentMs = this.#heardAt + (this.#hasHeard ? laterMs : firstMs) - now
    if (totalMs <= 0) return this.#onTimeout('total')
    if (silentMs <= 0) return this.#onTimeout('silent')
    this.#cancelTimer = this.#host.timer(Math.min(totalMs, silentMs), () => this.#arm())
  }
}
