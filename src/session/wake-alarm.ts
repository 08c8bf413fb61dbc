/**
 * The object's one alarm, shared by all that must happen later: a running turn's lease, a retry towards the index, a
 * socket whose token expires. It is set in the transaction of whoever needs it, only when none is due soon enough, and
 * never cleared: an idle firing is cheaper than a row.
 */
import type { Host } from './host.ts'

/** A running turn is looked after at least so often (rule TRN4). */
export const leaseMs = 30_000
/** An alarm that should have fired so long ago was lost. */
const lostAfterMs = 60_000

export class WakeAlarm {
  readonly #host: Host
  /** Undefined: not known since the object woke. */
  #dueAt: number | null | undefined
  /** When something is due that no caller of `ensure` speaks for: an alarm must not put it off. */
  readonly #alsoDueAt: () => number | null
  /** It fired, and what it fired for is not done yet: the earliest that was asked for meanwhile and is not soon. */
  #afterHandling: number | null = null
  /** Rows written by setting it. */
  rowsWritten = 0

  constructor(host: Host, alsoDueAt: () => number | null) {
    this.#host = host
    this.#alsoDueAt = alsoDueAt
  }

  /** Makes sure that the object wakes at `at` or earlier. What else is due is found again when it does. */
  ensure(at: number): void {
    if (this.#isDueBy(at)) return
    if (this.#afterHandling !== null && at > this.#host.now() + leaseMs) {
      this.#afterHandling = Math.min(this.#afterHandling, at)
      return
    }
    const dueAt = Math.min(at, this.#alsoDueAt() ?? Infinity)
    this.#host.setAlarm(dueAt)
    this.rowsWritten += 1
    this.#dueAt = dueAt
  }

  /** Learns what is set, so that `ensure` may not put off an earlier alarm from before the object woke. */
  async learn(): Promise<void> {
    if (this.#dueAt === undefined) this.#dueAt = await this.#host.alarmAt()
  }

  /**
   * It fired: none is set now. Until `handled`, none is set but for soon: the platform repeats a handler that died, but not
   * when another alarm was set meanwhile, and what this one fired for must not wait for a far one.
   */
  fired(): void {
    this.#dueAt = null
    this.#afterHandling = Infinity
  }

  handled(): void {
    const at = this.#afterHandling ?? Infinity
    this.#afterHandling = null
    if (at < Infinity) this.ensure(at)
  }

  /** What a transaction that was rolled back had set is not set. */
  forget(): void {
    this.#dueAt = undefined
  }

  #isDueBy(at: number): boolean {
    const dueAt = this.#dueAt
    return dueAt !== undefined && dueAt !== null && dueAt <= at && dueAt > this.#host.now() - lostAfterMs
  }
}
