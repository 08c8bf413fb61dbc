/**
 * What the active turn has cost: rows of the object's own storage, alarms included, and the time its agent ran. Counted
 * from the commit that admitted it (or from the end of the turn before it) up to and including its terminal commit.
 */
import type { SessionState } from '../core/state.ts'
import type { TurnCost } from '../protocol/turn.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { WakeAlarm } from './wake-alarm.ts'

export class TurnMeter {
  readonly #store: SessionStore
  readonly #alarm: WakeAlarm
  #rowsReadBefore = 0
  #rowsWrittenBefore = 0
  #activeMs = 0

  constructor(store: SessionStore, alarm: WakeAlarm) {
    this.#store = store
    this.#alarm = alarm
  }

  /** Before a commit is written: a turn that starts in an idle session is charged from here. */
  beginsWith(before: SessionState | null, after: SessionState): void {
    if (!before?.active && after.active) this.reset()
  }

  /** After a commit was written: the next turn is charged from here. */
  endsWith(before: SessionState | null, after: SessionState): void {
    if (before?.active && before.active.turnId !== after.active?.turnId) this.reset()
  }

  /** Goes on from what an object that died had already spent on the turn. */
  resumeFrom(cost: TurnCost): void {
    this.#rowsReadBefore -= cost.storage.rowsRead
    this.#rowsWrittenBefore -= cost.storage.rowsWritten
    this.#activeMs += cost.activeMs
  }

  addActiveMs(ms: number): void {
    this.#activeMs += ms
  }

  cost(): TurnCost {
    const rowsRead = this.#store.rowsRead - this.#rowsReadBefore
    const rowsWritten = this.#store.rowsWritten + this.#alarm.rowsWritten - this.#rowsWrittenBefore
    return { activeMs: this.#activeMs, storage: { rowsRead, rowsWritten } }
  }

  reset(): void {
    this.#rowsReadBefore = this.#store.rowsRead
    this.#rowsWrittenBefore = this.#store.rowsWritten + this.#alarm.rowsWritten
    this.#activeMs = 0
  }
}
