/** Walks over the log that bound what one request may read: rows by `limits.pageScan`, answers by `limits.pageBytes`. */
import { lastSeqOf, type Commit } from '../protocol/commit.ts'
import type { Page } from '../protocol/body.ts'
import type { Event } from '../protocol/event.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { SessionStore } from '../storage/session-store.ts'

/** Every commit with an event after `afterSeq`, oldest first, read a page at a time as they are asked for. */
export function* commitsAfter(store: SessionStore, afterSeq: number, pageCommits = 32): Generator<Commit> {
  for (let after = afterSeq; ;) {
    const page = store.log.after(after, { commits: pageCommits })
    yield* page.commits
    const last = page.commits.at(-1)
    if (page.ended || !last) return
    after = lastSeqOf(last)
  }
}

/** Every commit with an event before `beforeSeq`, newest first. */
export function* commitsBefore(store: SessionStore, beforeSeq: number, pageCommits = 32): Generator<Commit> {
  for (let before = beforeSeq; ;) {
    const page = store.log.before(before, { commits: pageCommits })
    yield* page.commits
    const first = page.commits.at(-1)?.events[0]
    if (page.ended || !first) return
    before = first.seq
  }
}

export function eventAt(store: SessionStore, seq: number): Event | null {
  return store.log.at(seq)?.events.find((event) => event.seq === seq) ?? null
}

/**
 * Shows the events before `before` to `look`, newest first, until it answers false. Answers where to go on: the seq of the
 * last event that was looked at, as the next exclusive `before`; null: the log's begin was reached.
 */
export function readBackwards(store: SessionStore, before: number, look: (event: Event) => boolean): number | null {
  let looked = before
  let commits = 0
  for (const commit of commitsBefore(store, before)) {
    for (const event of commit.events.toReversed()) {
      if (event.seq >= before) continue
      looked = event.seq
      if (!look(event)) return looked > 1 ? looked : null
    }
    if (++commits >= limits.pageScan) return looked > 1 ? looked : null
  }
  return null
}

export function readEvents(store: SessionStore, head: number, after: number, limit: number): Page<Event> & { head: number } {
  const items: Event[] = []
  let bytes = 0
  for (const commit of commitsAfter(store, after)) {
    for (const event of commit.events) {
      if (event.seq <= after) continue
      bytes += jsonBytes(event)
      if (items.length === limit || (items.length > 0 && bytes > limits.pageBytes)) return { items, next: lastSeq(items), head }
      items.push(event)
    }
  }
  const last = lastSeq(items)
  return { items, next: last !== null && last < head ? last : null, head }
}

function lastSeq(items: Event[]): number | null {
  return items.at(-1)?.seq ?? null
}
