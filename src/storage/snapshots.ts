/**
 * Snapshots of the state, kept by seq and never deleted, so that the state as of any seq is one of them and the commits
 * that follow (rule LOG6); and the idempotency window in its one slot beside them. When to take one is the caller's to know.
 */
import type { IdempotencyWindow, SessionState } from '../core/state.ts'
import { decode, versionOf, type Formats } from './formats.ts'
import type { Slot, Slots } from './slots.ts'

/** The state that the events up to `seq` make. */
export interface Snapshot {
  seq: number
  state: SessionState
}

/** The window as of `seq`; commands of later commits are in the log. */
export interface StoredWindow {
  seq: number
  commands: IdempotencyWindow
}

export class Snapshots {
  readonly #slots: Slots
  readonly #formats: Formats

  constructor(slots: Slots, formats: Formats) {
    this.#slots = slots
    this.#formats = formats
  }

  save({ seq, state }: Snapshot): void {
    const version = versionOf(this.#formats.snapshot)
    this.#slots.put({ kind: 'snapshot', seq, version, pieces: 1, body: JSON.stringify(state) })
  }

  newest(): Snapshot | null {
    return this.atOrBefore(Number.MAX_SAFE_INTEGER)
  }

  atOrBefore(seq: number): Snapshot | null {
    return this.#parse(this.#slots.atOrBefore('snapshot', seq))
  }

  atOrAfter(seq: number): Snapshot | null {
    return this.#parse(this.#slots.atOrAfter('snapshot', seq))
  }

  saveWindow({ seq, commands }: StoredWindow): void {
    const version = versionOf(this.#formats.idempotency)
    this.#slots.put({ kind: 'idempotency', seq: 0, version, pieces: 1, body: JSON.stringify({ seq, commands }) })
  }

  window(): StoredWindow | null {
    const slot = this.#slots.atOrAfter('idempotency', 0)
    return slot && decode('idempotency window', { version: slot.version, bodies: [slot.body] }, this.#formats.idempotency)
  }

  #parse(slot: Slot | null): Snapshot | null {
    if (!slot) return null
    const state: SessionState = decode('snapshot', { version: slot.version, bodies: [slot.body] }, this.#formats.snapshot)
    return { seq: slot.seq, state }
  }
}
