/** Rows of the table `slots`: what has one place that is written again, and what is kept by seq. One row a write. */
import { PUT_SLOT, type Schema } from './schema.ts'
import type { Body } from './pieces.ts'
import type { SqlResult } from './sql.ts'

export type SlotKind = 'snapshot' | 'idempotency' | 'partial'

export interface Slot {
  kind: SlotKind
  /** A snapshot's seq; the number of a piece; 0 for what has one place. */
  seq: number
  version: number
  /** In how many rows the whole is. */
  pieces: number
  body: Body
}

const columns = 'seq, version, pieces, body'

export class Slots {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  put({ kind, seq, version, pieces, body }: Slot): void {
    this.#schema.prepareWrite()
    this.#schema.exec(PUT_SLOT, kind, seq, version, pieces, body)
  }

  /** The one with the highest seq that is not above `seq`. */
  atOrBefore(kind: SlotKind, seq: number): Slot | null {
    return this.#first(kind, `SELECT ${columns} FROM slots WHERE kind = ? AND seq <= ? ORDER BY seq DESC LIMIT 1`, seq)
  }

  /** The one with the lowest seq that is not below `seq`. */
  atOrAfter(kind: SlotKind, seq: number): Slot | null {
    return this.#first(kind, `SELECT ${columns} FROM slots WHERE kind = ? AND seq >= ? ORDER BY seq LIMIT 1`, seq)
  }

  between(kind: SlotKind, low: number, high: number): Slot[] {
    if (!this.#schema.readable()) return []
    const rows = this.#schema.exec(`SELECT ${columns} FROM slots WHERE kind = ? AND seq BETWEEN ? AND ? ORDER BY seq`, kind, low, high)
    return rows.map((row) => toSlot(kind, row))
  }

  #first(kind: SlotKind, statement: string, seq: number): Slot | null {
    if (!this.#schema.readable()) return null
    const [row] = this.#schema.exec(statement, kind, seq)
    return row ? toSlot(kind, row) : null
  }
}

function toSlot(kind: SlotKind, row: SqlResult['rows'][number]): Slot {
  const { seq, version, pieces, body } = row
  const numbers = typeof seq === 'number' && typeof version === 'number' && typeof pieces === 'number'
  if (!numbers || (typeof body !== 'string' && !(body instanceof Uint8Array))) throw new Error(`A ${kind} row is broken.`)
  return { kind, seq, version, pieces, body }
}
