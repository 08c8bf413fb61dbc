/**
 * All that one session stores, in its own SQLite. Everything is synchronous, and nothing here opens a transaction: what must
 * be stored together, the caller stores inside `host.transaction`. Reading an object that was never written creates
 * nothing and answers as empty; an erased one answers as empty too, and throws on every write.
 */
import type { Commit } from '../protocol/commit.ts'
import { decode, formats, type Formats } from './formats.ts'
import { EventLog } from './log.ts'
import { Outputs } from './outputs.ts'
import { PartialText } from './partial-text.ts'
import { layoutSteps, Schema, type LayoutStep } from './schema.ts'
import { Slots } from './slots.ts'
import { Snapshots } from './snapshots.ts'
import type { Sql } from './sql.ts'

/** What stays of an erased session: when, and nothing of what. */
export interface ErasureMarker {
  at: number
}

/** Versions of what is stored; another set than the current one is for tests of upgrades. */
export interface StoreVersions {
  formats: Formats
  layoutSteps: readonly LayoutStep[]
}

export class SessionStore {
  readonly #schema: Schema
  readonly log: EventLog
  readonly snapshots: Snapshots
  readonly partial: PartialText
  readonly outputs: Outputs

  constructor(sql: Sql, versions: StoreVersions = { formats, layoutSteps }) {
    this.#schema = new Schema(sql, versions.layoutSteps)
    const slots = new Slots(this.#schema)
    this.log = new EventLog(this.#schema, versions.formats.event)
    this.snapshots = new Snapshots(slots, versions.formats)
    this.partial = new PartialText(slots, versions.formats.partial)
    this.outputs = new Outputs(slots)
  }

  /** Rows that this store has read since it was made, as billed; two readings meter the work between them. */
  get rowsRead(): number {
    return this.#schema.rowsRead
  }

  get rowsWritten(): number {
    return this.#schema.rowsWritten
  }

  /** Whether there is a session here: it was created and not erased. */
  exists(): boolean {
    return this.#schema.readable()
  }

  /** Answers the rows it took. */
  append(commit: Commit): number {
    return this.log.append(commit)
  }

  /** A commit whose transaction succeeded; see `EventLog.remember`. */
  remember(commit: Commit): void {
    this.log.remember(commit)
  }

  /** Drops all content and leaves the marker alone. Inside a transaction; erasing twice keeps the first marker. */
  erase(marker: ErasureMarker): void {
    this.log.forget()
    this.#schema.erase(JSON.stringify(marker))
  }

  /** When the session was erased; null: it was not. */
  erasedAt(): number | null {
    const marker = this.#schema.erasureMarker()
    return marker === null ? null : decode<ErasureMarker>('erasure marker', { version: 1, bodies: [marker] }, []).at
  }
}
