/**
 * Waking up: the newest snapshot and the commits after it, never more, however long the history is. Nothing is decided
 * here and nothing written (rule LOG3).
 */
import { lastSeqOf } from '../protocol/commit.ts'
import { foldCommit } from '../core/reduce.ts'
import type { IdempotencyWindow, SessionState } from '../core/state.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { commitsAfter } from './read-log.ts'

/** A snapshot is due when so many rows of log lie behind the newest (rule LOG6). */
export const snapshotEveryRows = 32

/** All in one page, for a second page would read a part of the first again; the rows are few, whatever is in them. */
const wakeBounds = { commits: snapshotEveryRows, bytes: Infinity }

export interface Restored {
  state: SessionState | null
  /** The keyed commands since the snapshot; those before are in its window. */
  recentCommands: IdempotencyWindow
  rowsSinceSnapshot: number
}

export function restore(store: SessionStore): Restored {
  if (!store.exists()) return { state: null, recentCommands: [], rowsSinceSnapshot: 0 }
  const snapshot = store.snapshots.newest()
  let state = snapshot?.state ?? null
  const recentCommands: IdempotencyWindow = []
  const rowsBefore = store.rowsRead
  let commits = 0
  for (const commit of store.log.after(snapshot?.seq ?? 0, wakeBounds).commits) {
    state = foldCommit(state, commit)
    if (commit.command) recentCommands.push(commit.command)
    commits += 1
  }
  return { state, recentCommands, rowsSinceSnapshot: Math.max(commits, store.rowsRead - rowsBefore) }
}

/** The state as of a seq: the snapshot at or before it and the few commits between; null: before the session began. */
export function stateAt(store: SessionStore, seq: number): SessionState | null {
  const snapshot = store.snapshots.atOrBefore(seq)
  let state = snapshot?.state ?? null
  for (const commit of commitsAfter(store, snapshot?.seq ?? 0)) {
    const events = commit.events.filter((event) => event.seq <= seq)
    if (events.length > 0) state = foldCommit(state, { ...commit, events })
    if (lastSeqOf(commit) >= seq) break
  }
  return state
}
