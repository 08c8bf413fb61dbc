/** What the session index keeps of one session: its summary, what search may find, and the version that guards it. */
import type { SessionSummary, SessionUsage } from '../protocol/session.ts'

export interface IndexEntry {
  tenant: string
  summary: SessionSummary
  /** The latest compaction's summary, searched beside title and tags; null while nothing was compacted. */
  searchText: string | null
  /** The session's head. A write whose version is not above the stored one changes nothing (rule IDX1). */
  version: number
  /** All that the session has used so far. What is new in it is added to its tenant's totals, once (rule MET1). */
  usage: SessionUsage
}

/** The writing half of the index, as a session object uses it. Every method may reject or hang: callers bound and retry. */
export interface IndexWriter {
  upsert(entry: IndexEntry): Promise<void>
  /** Hides an erased session for good: the row keeps only its id, at the highest version. */
  bury(tenant: string, sessionId: string, at: number): Promise<void>
  /** Deletes what `bury` left. */
  forget(tenant: string, sessionId: string): Promise<void>
}
