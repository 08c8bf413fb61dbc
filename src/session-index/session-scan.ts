/**
 * The walk behind every page: down the one index from a position on, testing each row. It reads `limits.pageScan` rows at
 * most, and no more than the page needs where every row passes; it never skips a row it has not tested.
 */
import * as v from 'valibot'
import { SessionIdSchema, TimeSchema } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionSummary } from '../protocol/session.ts'
import type { Position } from './page-cursor.ts'
import { summaryColumns, SummaryRowSchema } from './session-row.ts'

/** A test of one row, over the columns of `sessions`. */
export interface Condition {
  sql: string
  bindings: (string | number)[]
}

/** A page to find: the tenant's sessions, archived or not, below `from` that meet every condition. */
export interface PageRequest {
  tenant: string
  archived: boolean
  conditions: Condition[]
  from: Position
  limit: number
}

/** `next` is where the following page starts; null when there is nothing below. */
export interface FoundPage {
  items: SessionSummary[]
  next: Position | null
}

type Row = Record<string, unknown>

const PlaceSchema = v.object({ id: SessionIdSchema, updated_at: TimeSchema, met: v.picklist([0, 1]) })

/** Rows for one page and the proof that another follows; only if too few of them pass, all the rest of the allowance. */
export async function scanSessions(db: D1Database, request: PageRequest): Promise<FoundPage> {
  const { limit } = request
  const met: Row[] = []
  let position = request.from
  for (const size of [limit + 1, limits.pageScan - limit - 1]) {
    const rows = await readRows(db, { ...request, from: position }, size)
    met.push(...rows.filter(isMet))
    if (met.length > limit || rows.length < size) return pageOf(met, limit)
    position = lastPosition(rows) ?? position
    if (met.length === limit) break
  }
  return { items: met.map(parseSummary), next: position }
}

/** A page of rows that are known to hold every match: there is more only if there are more of them than it takes. */
export function pageOf(rows: Row[], limit: number): FoundPage {
  const items = rows.slice(0, limit).map(parseSummary)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last ? { at: last.updatedAt, id: last.id } : null }
}

/** All conditions in one expression, and their bindings in order. */
export function allOf(conditions: Condition[]): Condition {
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(' and ') || '1',
    bindings: conditions.flatMap(({ bindings }) => bindings),
  }
}

/** Conditions are computed, not put into `where`: rows that fail must come back too, for their place and to be counted. */
async function readRows(db: D1Database, { tenant, archived, conditions, from }: PageRequest, size: number): Promise<Row[]> {
  const { sql, bindings } = allOf(conditions)
  const statement = `
    select ${summaryColumns.join(', ')}, (${sql}) as met from sessions
    where tenant = ? and archived = ? and buried_at is null and (updated_at, id) < (?, ?)
    order by updated_at desc, id desc limit ?`
  const { results } = await db
    .prepare(statement)
    .bind(...bindings, tenant, archived ? 1 : 0, from.at, from.id, size)
    .all()
  return results
}

function isMet(row: Row): boolean {
  return v.parse(PlaceSchema, row).met === 1
}

function lastPosition(rows: Row[]): Position | null {
  const last = rows.at(-1)
  if (last === undefined) return null
  const { updated_at: at, id } = v.parse(PlaceSchema, last)
  return { at, id }
}

function parseSummary(row: Row): SessionSummary {
  return v.parse(SummaryRowSchema, row)
}
