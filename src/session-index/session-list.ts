/**
 * Pages of a tenant's sessions, newest update first. Reads only (LOG5), and a bounded number of rows whatever the size of
 * the index (IDX4), so a filtered page may be short, or empty, and still have a `next`: where its scan stopped.
 * Words, tags and parents are looked up (session-search.ts), the other filters tested row by row (session-scan.ts).
 */
import type { Page } from '../protocol/body.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionStatus, SessionSummary } from '../protocol/session.ts'
import { decodeCursor, encodeCursor, type Position } from './page-cursor.ts'
import { scanSessions, type Condition, type FoundPage } from './session-scan.ts'
import { searchMatch } from './search-terms.ts'
import { searchSessions } from './session-search.ts'

/** `limit` is 1 to `limits.pageItems`. Null leaves a filter out; only archived sessions stay hidden until asked for. */
export interface SessionQuery {
  limit: number
  cursor: string | null
  /** Words in any order, the last one maybe unfinished. */
  q: string | null
  status: SessionStatus | null
  agent: string | null
  tag: string | null
  /** True lists the archived sessions alone, false and null the others. */
  archived: boolean | null
  /** Sessions forked from this one. */
  parent: string | null
}

export async function listSessions(db: D1Database, tenant: string, given: SessionQuery): Promise<Result<Page<SessionSummary, string>>> {
  const query = { ...given, q: given.q?.trim() || null, archived: given.archived ?? false }
  if (query.q !== null && query.q.length > limits.searchCharacters) {
    return refuse('invalid_request', `q may be ${limits.searchCharacters} characters at most.`)
  }
  const scope = ['sessions', tenant, query.q, query.status, query.agent, query.tag, query.archived, query.parent]
  const from = await decodeCursor(query.cursor, scope)
  if (!from.ok) return from
  const found = await findPage(db, tenant, query, from.value)
  if (!found.ok) return found
  const { items, next } = found.value
  return { ok: true, value: { items, next: next && (await encodeCursor(next, scope)) } }
}

async function findPage(db: D1Database, tenant: string, query: SessionQuery, from: Position): Promise<Result<FoundPage>> {
  const request = { tenant, archived: query.archived ?? false, conditions: conditionsOf(query), from, limit: query.limit }
  if (query.q === null && query.tag === null && query.parent === null) return { ok: true, value: await scanSessions(db, request) }
  const match = searchMatch(tenant, query)
  if (!match.ok) return match
  return { ok: true, value: match.value ? await searchSessions(db, request, match.value) : { items: [], next: null } }
}

function conditionsOf({ status, agent }: SessionQuery): Condition[] {
  return [
    ...(status === null ? [] : [{ sql: 'status = ?', bindings: [status] }]),
    ...(agent === null ? [] : [{ sql: 'agent = ?', bindings: [agent] }]),
  ]
}
