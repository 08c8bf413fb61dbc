/**
 * The tables of one session and the only way to them: every statement goes through `exec`, which meters rows and refuses
 * a body above the limit. Invariants:
 * - reading creates nothing: without tables every read answers as empty (rule LOG5); the first write makes them;
 * - a CREATE TABLE is billed as two rows, so there are two tables and no index (measured on workerd, 2026-11);
 * - once erased only `slots` is there, with the marker alone, and every write throws (rule ERA1).
 */
import { checkVersion, versionOf } from './formats.ts'
import { isTooLarge, MAX_BODY_BYTES } from './pieces.ts'
import { PIECES_PER_COMMIT, SEQS_PER_KIND, slotId, slotKinds } from './row-ids.ts'
import type { Sql, SqlResult, SqlValue } from './sql.ts'

/**
 * Generated columns are not stored and cost no row. They tell what an id is made of, to a person with a SQLite shell and to
 * whoever reads a row; a condition on them reads the whole table, so statements ask by `id`.
 * `last_seq` is the seq of the commit's last event: from there up are exactly the commits with an event at it or after.
 */
const createLog = `CREATE TABLE log (
  id INTEGER PRIMARY KEY, last_seq INTEGER AS (id / ${PIECES_PER_COMMIT}), piece INTEGER AS (id % ${PIECES_PER_COMMIT}),
  version INTEGER NOT NULL, pieces INTEGER NOT NULL, body NOT NULL)`

/** A kind that is added later shows as its number in the tables that are there by then. */
const kindNames = Object.entries(slotKinds).map(([kind, number]) => `WHEN ${number} THEN '${kind}'`)
const kindNumber = `id / ${SEQS_PER_KIND}`

/** What has one place that is written again (`seq` 0, or the number of the piece), and the snapshots by seq. */
const createSlots = `CREATE TABLE slots (
  id INTEGER PRIMARY KEY, kind TEXT AS (CASE ${kindNumber} ${kindNames.join(' ')} ELSE ${kindNumber} END), seq INTEGER AS (id % ${SEQS_PER_KIND}),
  version INTEGER NOT NULL, pieces INTEGER NOT NULL, body NOT NULL)`

export const PUT_SLOT = `INSERT INTO slots (id, version, pieces, body) VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET version = excluded.version, pieces = excluded.pieces, body = excluded.body`

/**
 * The statements of the step at index 0 lead from layout 1 (the tables above, and no row that says so) to layout 2, and so
 * on. A step may only add. The first write after a deploy runs the missing ones; until then reads meet the older layout.
 */
export type LayoutStep = readonly string[]
export const layoutSteps: readonly LayoutStep[] = []

/** A number is the layout of the tables that are there. */
type Presence = 'absent' | 'erased' | number

export class Schema {
  readonly #sql: Sql
  readonly #steps: readonly LayoutStep[]
  /** The layout of the tables, once a probe has seen them for certain: then no probe is needed any more. */
  #layout: number | null = null
  /** Tables were changed in this very tick, in a transaction that may yet roll back: what a probe sees is not certain. */
  #isChanging = false
  rowsRead = 0
  rowsWritten = 0

  constructor(sql: Sql, steps: readonly LayoutStep[] = layoutSteps) {
    this.#sql = sql
    this.#steps = steps
  }

  exec(statement: string, ...bindings: SqlValue[]): SqlResult['rows'] {
    if (bindings.some(isTooLarge)) throw new Error(`A stored body may have ${MAX_BODY_BYTES} bytes at most.`)
    const { rows, rowsRead, rowsWritten } = this.#sql.exec(statement, ...bindings)
    this.rowsRead += rowsRead
    this.rowsWritten += rowsWritten
    return rows
  }

  /** Whether there is anything to read. */
  readable(): boolean {
    return typeof this.#probe() === 'number'
  }

  /** Makes the tables where they are missing. */
  prepareWrite(): void {
    const presence = this.#probe()
    if (presence === 'erased') throw new Error('The session was erased; nothing may be written to it.')
    if (presence === 'absent') this.#create()
    else this.#runSteps(presence)
  }

  /** Dropping costs no rows, however much there was; deleting would cost one for each. */
  erase(marker: string): void {
    const presence = this.#probe()
    if (presence === 'erased') return
    this.#change()
    if (presence !== 'absent') {
      this.exec('DROP TABLE log')
      this.exec('DROP TABLE slots')
    }
    this.exec(createSlots)
    this.exec(PUT_SLOT, slotId('erased', 0), 1, 1, marker)
  }

  erasureMarker(): string | null {
    if (this.#probe() !== 'erased') return null
    const [row] = this.exec('SELECT body FROM slots WHERE id = ?', slotId('erased', 0))
    return typeof row?.body === 'string' ? row.body : null
  }

  #probe(): Presence {
    if (this.#layout !== null) return this.#layout
    const names = this.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('log', 'slots')").map((row) => row.name)
    if (!names.includes('slots')) return 'absent'
    if (!names.includes('log')) return 'erased'
    const layout = this.#storedLayout()
    if (!this.#isChanging) this.#layout = layout
    return layout
  }

  #storedLayout(): number {
    const [row] = this.exec('SELECT version FROM slots WHERE id = ?', slotId('layout', 0))
    const layout = typeof row?.version === 'number' ? row.version : 1
    checkVersion('layout', layout, versionOf(this.#steps))
    return layout
  }

  #create(): void {
    this.#change()
    this.exec(createLog)
    this.exec(createSlots)
    this.#runSteps(1)
  }

  #runSteps(from: number): void {
    const missing = this.#steps.slice(from - 1)
    if (missing.length === 0) return
    this.#change()
    for (const statement of missing.flat()) this.exec(statement)
    this.exec(PUT_SLOT, slotId('layout', 0), versionOf(this.#steps), 1, '')
  }

  /** A transaction is synchronous: by the next microtask it was either committed or rolled back. */
  #change(): void {
    this.#layout = null
    this.#isChanging = true
    queueMicrotask(() => (this.#isChanging = false))
  }
}
