/**
 * Full-text search, newest update first. Two ways, and the number of matches decides:
 * - up to `limits.pageScan` matches are looked up and sorted, so that a rare word is found at once however old it is;
 * - more would have to be read all to find the newest, so recent sessions are tested one by one (session-scan.ts) instead.
 *   Matches are then so frequent that the scan meets them soon.
 * Terms begin with their tenant: neither way reads what other tenants wrote.
 */
import * as v from 'valibot'
import { limits } from '../protocol/limits.ts'
import { summaryColumns } from './session-row.ts'
import { matchExpression, matchNeedles, type SearchMatch } from './search-terms.ts'
import { allOf, pageOf, scanSessions, type Condition, type FoundPage, type PageRequest } from './session-scan.ts'

const CountSchema = v.object({ matches: v.number() })

const COUNT = `
  select count(*) as matches from
    (select 1 from session_search where session_search match ? limit ${limits.pageScan + 1})`

/** Both in one round trip: the lookup is only thrown away when there are too many matches. */
export async function searchSessions(db: D1Database, request: PageRequest, match: SearchMatch): Promise<FoundPage> {
  const expression = matchExpression(match)
  const [count, lookup] = await db.batch<Record<string, unknown>>([db.prepare(COUNT).bind(expression), lookUp(db, request, expression)])
  const { matches } = v.parse(CountSchema, count?.results[0])
  if (matches <= limits.pageScan) return pageOf(lookup?.results ?? [], request.limit)
  return scanSessions(db, { ...request, conditions: [...request.conditions, holdsTerms(match)] })
}

/** `cross join` keeps SQLite from walking the sessions instead. The tenant is compared here too, whatever the terms say. */
function lookUp(db: D1Database, { tenant, archived, conditions, from, limit }: PageRequest, expression: string): D1PreparedStatement {
  const { sql, bindings } = allOf(conditions)
  const statement = `
    select ${summaryColumns.join(', ')}
    from (select session_id from session_search where session_search match ? limit ${limits.pageScan}) f
    cross join sessions on sessions.tenant = ? and sessions.id = f.session_id
    where archived = ? and buried_at is null and (updated_at, id) < (?, ?) and ${sql}
    order by updated_at desc, id desc limit ?`
  return db.prepare(statement).bind(expression, tenant, archived ? 1 : 0, from.at, from.id, ...bindings, limit + 1)
}

/** One read by rowid for each session tested; a query of FTS5 for each would walk a prefix's terms every time. */
function holdsTerms(match: SearchMatch): Condition {
  const needles = matchNeedles(match)
  const tests = needles.map(() => 'instr(f.terms, ?) > 0').join(' and ')
  return { sql: `exists (select 1 from session_search f where f.rowid = sessions.search_id and ${tests})`, bindings: needles }
}
