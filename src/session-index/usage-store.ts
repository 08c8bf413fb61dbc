/**
 * What tenants use, by day. A session tells its totals since it was made, never what was added: the difference to what its
 * row has is added here, in the transaction that writes the row and under the same guard. So a write that is repeated,
 * late or stale adds nothing, and one that got lost is made good by the next (rule MET1).
 */
import * as v from 'valibot'
import { TenantSchema } from '../protocol/access.ts'
import type { SessionUsage } from '../protocol/session.ts'
import type { IndexEntry } from './index-entry.ts'

const DAY_MS = 86_400_000

/** Columns of `usage_days` and, cumulative, of `sessions`. */
const columns = [
  'turns',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'reasoning_tokens',
  'active_ms',
  'rows_read',
  'rows_written',
] as const

/** Those that a session's row has only for this; `turns` stands in its summary. */
export const usageColumns = columns.slice(1)

type Bindings = Record<(typeof columns)[number], number>

function bindingsOf({ storage, ...usage }: SessionUsage): Bindings {
  return {
    turns: usage.turns,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cached_tokens: usage.cachedTokens,
    reasoning_tokens: usage.reasoningTokens,
    active_ms: usage.activeMs,
    rows_read: storage.rowsRead,
    rows_written: storage.rowsWritten,
  }
}

/** In the order of `usageColumns`. */
export function usageBindings(usage: SessionUsage): number[] {
  const bindings = bindingsOf(usage)
  return usageColumns.map((column) => bindings[column])
}

const differences = columns.map((column, place) => `?${place + 5} - coalesce(s.${column}, 0)`)

const ADD = `
  insert into usage_days (tenant, day, ${columns.join(', ')})
  select ?1, ?4, ${differences.join(', ')}
  from (select 1) left join sessions s on s.tenant = ?1 and s.id = ?2
  where (s.id is null or (?3 > s.version and s.buried_at is null)) and (${differences.map((each) => `${each} <> 0`).join(' or ')})
  on conflict (tenant, day) do update set ${columns.map((column) => `${column} = ${column} + excluded.${column}`).join(', ')}`

/** To be run before the session's row is written, in the same transaction: it needs what the row had. */
export function addUsage(db: D1Database, { tenant, summary, version, usage }: IndexEntry): D1PreparedStatement {
  const bindings = bindingsOf(usage)
  const day = Math.floor(summary.updatedAt / DAY_MS)
  return db.prepare(ADD).bind(tenant, summary.id, version, day, ...columns.map((column) => bindings[column]))
}

/** What sessions of a tenant have used since the beginning, erased ones too. */
export interface TenantUsage {
  tenant: string
  usage: SessionUsage
}

const TotalsRowSchema = v.object({
  tenant: TenantSchema,
  turns: v.number(),
  input_tokens: v.number(),
  output_tokens: v.number(),
  cached_tokens: v.number(),
  reasoning_tokens: v.number(),
  active_ms: v.number(),
  rows_read: v.number(),
  rows_written: v.number(),
})

const sums = columns.map((column) => `sum(${column}) as ${column}`).join(', ')

/** One tenant's totals; a row is read for each day on which it used something. */
export async function readUsage(db: D1Database, tenant: string): Promise<TenantUsage | null> {
  const statement = `select tenant, ${sums} from usage_days where tenant = ? group by tenant`
  const row = await db.prepare(statement).bind(tenant).first()
  return row && totalsOf(row)
}

/** Totals of the first tenants, by name. The names are found one by one, so that the others' days are not read. */
export async function readAllUsage(db: D1Database, limit: number): Promise<TenantUsage[]> {
  const statement = `
    with recursive tenants (tenant) as (
      select min(tenant) from usage_days
      union all
      select (select min(d.tenant) from usage_days d where d.tenant > t.tenant) from tenants t where t.tenant is not null limit ?
    )
    select tenant, ${sums} from tenants cross join usage_days using (tenant) group by tenant order by tenant`
  const { results } = await db.prepare(statement).bind(limit).all()
  return results.map(totalsOf)
}

function totalsOf(row: Record<string, unknown>): TenantUsage {
  const totals = v.parse(TotalsRowSchema, row)
  return {
    tenant: totals.tenant,
    usage: {
      turns: totals.turns,
      inputTokens: totals.input_tokens,
      outputTokens: totals.output_tokens,
      cachedTokens: totals.cached_tokens,
      reasoningTokens: totals.reasoning_tokens,
      activeMs: totals.active_ms,
      storage: { rowsRead: totals.rows_read, rowsWritten: totals.rows_written },
    },
  }
}
