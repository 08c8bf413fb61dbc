/**
 * Outputs of tools that are too large to stand in the log, each kept whole under the seq of the message that shows its preview,
 * in pieces where it is larger than a row. Written in the transaction of that message, and never again.
 */
import { checkVersion } from './formats.ts'
import { join, split, type Body } from './pieces.ts'
import { PIECES_PER_COMMIT } from './row-ids.ts'
import type { Slots } from './slots.ts'

const VERSION = 1

export class Outputs {
  readonly #slots: Slots

  constructor(slots: Slots) {
    this.#slots = slots
  }

  /** Answers the rows it took. Several are only one output inside a transaction, which is the caller's. */
  save(seq: number, text: string): number {
    const pieces = split(text)
    for (const [piece, body] of pieces.entries()) {
      this.#slots.put({ kind: 'output', seq: seq * PIECES_PER_COMMIT + piece, version: VERSION, pieces: pieces.length, body })
    }
    return pieces.length
  }

  /** The whole text; null: the message at this seq has none. */
  at(seq: number): string | null {
    const first = seq * PIECES_PER_COMMIT
    const slots = this.#slots.between('output', first, first + PIECES_PER_COMMIT - 1)
    if (slots.length === 0) return null
    for (const { version } of slots) checkVersion('output', version, VERSION)
    return join(slots.map((slot): Body => slot.body))
  }
}
