/** Rows of the table `slots`: what has one place that is written again, and what is kept by seq. One row a write. */
import type { Body } from './pieces.ts'
import { slotId, slotRange, type SlotKind } from './row-ids.ts'
import { PUT_SLOT, type Schema } from './schema.ts'
import type { SqlResult } from './sql.ts'

export interface Slot {
  kind: SlotKind
  /** A snapshot's seq; the number of a piece; 0 for what has one place. */
  seq: number
  version: number
  /** In how many rows the whole is. */
  pieces: number
  body: Body
}

const selection = 'SELECT seq, version, pieces, body FROM slots WHERE id BETWEEN ? AND ? ORDER BY id'

export class Slots {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  put({ kind, seq, version, pieces, body }: Slot): void {
    this.#schema.prepareWrite()
    this.#schema.exec(PUT_SLOT, slotId(kind, seq), version, pieces, body)
  }

  /** The one with the highest seq that is not above `seq`. */
  atOrBefore(kind: SlotKind, seq: number): Slot | null {
    return this.#read(`${selection} DESC LIMIT 1`, kind, 0, seq)[0] ?? null
  }

  /** The one with the lowest seq that is not below `seq`. */
  atOrAfter(kind: SlotKind, seq: number): Slot | null {
    return this.#read(`${selection} LIMIT 1`, kind, seq, Infinity)[0] ?? null
  }

  between(kind: SlotKind, low: number, high: number): Slot[] {
    return this.#read(selection, kind, low, high)
  }

  #read(statement: string, kind: SlotKind, low: number, high: number): Slot[] {
    if (!this.#schema.readable()) return []
    return this.#schema.exec(statement, ...slotRange(kind, low, high)).map((row) => toSlot(kind, row))
  }
}

function toSlot(kind: SlotKind, row: SqlResult['rows'][number]): Slot {
  const { seq, version, pieces, body } = row
  const numbers = typeof seq === 'number' && typeof version === 'number' && typeof pieces === 'number'
  if (!numbers || (typeof body !== 'string' && !(body instanceof Uint8Array))) throw new Error(`A ${kind} row is broken.`)
  return { kind, seq, version, pieces, body }
}
