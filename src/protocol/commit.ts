/**
 * A commit: the events of one decision, or of several that came together, stored in one row; and, for a command with a key,
 * what its repeat must be told.
 */
import type { Event } from './event.ts'

/** Ids and seq that an accepted command is acknowledged with. */
export interface Receipt {
  seq: number
  turnId?: string
}

export interface RememberedCommand {
  key: string
  /** Hash of verb and parsed body: the same key with another one is a conflict. */
  fingerprint: string
  receipt: Receipt
}

export interface Commit {
  /** At least one; seqs without a gap. */
  events: Event[]
  command?: RememberedCommand
}

export function lastSeqOf(commit: Commit): number {
  return commit.events[commit.events.length - 1]?.seq ?? 0
}
