/** Entries, seeds and a meter for the tests of the session index. All of them run against a real D1. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { Page } from '../../src/protocol/body.ts'
import type { Result } from '../../src/protocol/errors.ts'
import type { SessionSummary, SessionUsage } from '../../src/protocol/session.ts'
import type { IndexEntry } from '../../src/session-index/index-entry.ts'
import { listSessions, type SessionQuery } from '../../src/session-index/session-list.ts'

export const sessionId = (n: number): string => `ses_${String(n).padStart(26, '0')}`

export const usageOf = (turns: number): SessionUsage => ({
  turns,
  inputTokens: turns * 100,
  outputTokens: turns * 10,
  cachedTokens: turns * 5,
  reasoningTokens: turns * 2,
  activeMs: turns * 1500,
  storage: { rowsRead: turns * 7, rowsWritten: turns * 3 },
})

/** Session `n` of a tenant, updated at `n` seconds, at version 1. */
export function entryOf(tenant: string, n: number, changed: Partial<SessionSummary> = {}, searchText: string | null = null): IndexEntry {
  const summary: SessionSummary = {
    id: sessionId(n),
    title: null,
    status: 'idle',
    agent: 'demo',
    model: null,
    tags: [],
    archived: false,
    parent: null,
    createdAt: 1000,
    updatedAt: n * 1000,
    head: 1,
    turns: 0,
    lastMessage: null,
    ...changed,
  }
  return { tenant, summary, searchText, version: summary.head, usage: usageOf(summary.turns) }
}

export const everySession: SessionQuery = {
  limit: 50,
  cursor: null,
  q: null,
  status: null,
  agent: null,
  tag: null,
  archived: null,
  parent: null,
}

export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) expect.fail(`refused: ${result.error.message}`)
  return result.value
}

export async function listed(tenant: string, query: Partial<SessionQuery> = {}, db = env.INDEX): Promise<Page<SessionSummary, string>> {
  return valueOf(await listSessions(db, tenant, { ...everySession, ...query }))
}

/** Numbers of the sessions on every page, in order. */
export async function listedNumbers(tenant: string, query: Partial<SessionQuery> = {}): Promise<number[]> {
  const numbers: number[] = []
  let cursor: string | null = null
  do {
    const page: Page<SessionSummary, string> = await listed(tenant, { ...query, cursor })
    numbers.push(...page.items.map(({ id }) => Number(id.slice(4))))
    cursor = page.next
  } while (cursor !== null)
  return numbers
}

/** Sessions 1 to `count`, in one statement, with the words the writer would have stored: `word`, `n<number>`, `common`. */
export async function seed(tenant: string, count: number): Promise<void> {
  const numbers = 'with recursive n (i) as (select 1 union all select i + 1 from n where i < ?1)'
  await env.INDEX.batch([
    env.INDEX.prepare(
      `${numbers} insert into sessions (tenant, id, version, search_id, title, status, agent, tags, archived, created_at, updated_at, head, turns)
       select ?2, printf('ses_%026d', i), 1, random(), 'common n' || i, iif(i % 1000 = 0, 'running', 'idle'), 'demo', '[]', 0, 1000, i * 1000, 1, 0 from n`,
    ).bind(count, tenant),
    env.INDEX.prepare(
      `insert into session_search (rowid, terms, session_id)
       select search_id, ' ' || tenant || '/common ' || tenant || '/n' || (updated_at / 1000) || ' ', id from sessions where tenant = ?1`,
    ).bind(tenant),
  ])
}

/** Rows as D1 bills them. */
export class Meter {
  rowsRead = 0
  rowsWritten = 0
  statements = 0
  count<T>(result: D1Result<T>): D1Result<T> {
    this.rowsRead += result.meta.rows_read
    this.rowsWritten += result.meta.rows_written
    this.statements += 1
    return result
  }
}

/** The same database, with every statement's rows counted into the meter. */
export function metered(db: D1Database, meter: Meter): D1Database {
  return new Proxy(db, {
    get(target, name) {
      if (name === 'prepare') return (sql: string) => meteredStatement(target.prepare(sql), meter)
      if (name === 'batch') return async (statements: MeteredStatement[]) => countBatch(target, statements, meter)
      return Reflect.get(target, name)
    },
  })
}

interface MeteredStatement {
  inner: D1PreparedStatement
  bind(...values: unknown[]): MeteredStatement
  run(): Promise<D1Result>
  all(): Promise<D1Result>
  first(): Promise<unknown>
}

function meteredStatement(inner: D1PreparedStatement, meter: Meter): MeteredStatement {
  return {
    inner,
    bind: (...values) => meteredStatement(inner.bind(...values), meter),
    run: async () => meter.count(await inner.run()),
    all: async () => meter.count(await inner.all()),
    first: async () => meter.count(await inner.all()).results[0] ?? null,
  }
}

async function countBatch(db: D1Database, statements: MeteredStatement[], meter: Meter): Promise<D1Result[]> {
  const results = await db.batch(statements.map(({ inner }) => inner))
  return results.map((result) => meter.count(result))
}

/** Runs `work` on the metered database and returns what it cost. */
export async function costOf(work: (db: D1Database) => Promise<unknown>): Promise<Meter> {
  const meter = new Meter()
  await work(metered(env.INDEX, meter))
  return meter
}
