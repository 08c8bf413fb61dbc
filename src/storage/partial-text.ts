/**
 * What the running turn has said and no commit holds yet, in one row that is written again and again, with pieces beside it
 * while it is large. It is never deleted: it counts only while the turn's generation is the one it was saved for, which
 * the caller compares.
 */
import type { Part } from '../protocol/message.ts'
import { decode, versionOf, type Upgrade } from './formats.ts'
import { split } from './pieces.ts'
import type { Slots } from './slots.ts'

export interface StoredPartial {
  generation: number
  turnId: string
  messageId: string
  parts: Part[]
  /** The head as of which the message's context was built. */
  contextSeq: number
  /** What the turn has cost up to here. */
  activeMs: number
  rowsRead: number
  rowsWritten: number
}

export class PartialText {
  readonly #slots: Slots
  readonly #upgrades: readonly Upgrade[]

  constructor(slots: Slots, upgrades: readonly Upgrade[]) {
    this.#slots = slots
    this.#upgrades = upgrades
  }

  /** Returns the rows it took. Several are only one partial inside a transaction, which is the caller's. */
  save(partial: StoredPartial): number {
    const pieces = split(JSON.stringify(partial))
    const version = versionOf(this.#upgrades)
    for (const [seq, body] of pieces.entries()) {
      this.#slots.put({ kind: 'partial', seq, version, pieces: pieces.length, body })
    }
    return pieces.length
  }

  /** The first row says how many pieces count: rows beyond it are left from a longer text. */
  load(): StoredPartial | null {
    const first = this.#slots.atOrAfter('partial', 0)
    if (!first) return null
    const later = first.pieces > 1 ? this.#slots.between('partial', 1, first.pieces - 1) : []
    const bodies = [first, ...later].map((slot) => slot.body)
    return decode('partial text', { version: first.version, bodies }, this.#upgrades)
  }
}
