import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import type { SessionUsage } from '../../src/protocol/session.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { readAllUsage, readUsage } from '../../src/session-index/usage-store.ts'
import { costOf, entryOf, sessionId, usageOf } from './index-fixture.ts'

const writer = new D1IndexWriter(env.INDEX)
const DAY_MS = 86_400_000

/** Session `n` after so many turns, at a version, on a day. */
function after(tenant: string, n: number, turns: number, head = turns * 4 + 1, day = 20_000) {
  return entryOf(tenant, n, { turns, head, updatedAt: day * DAY_MS + head })
}

const totalOf = async (tenant: string) => (await readUsage(env.INDEX, tenant))?.usage ?? null

const daysOf = async (tenant: string) =>
  (await env.INDEX.prepare('select day, turns from usage_days where tenant = ? order by day').bind(tenant).all()).results

describe('what a tenant used', () => {
  test('[MET1] each session adds what is new in its totals, in every column', async () => {
    await writer.upsert(after('sum', 1, 0))
    expect(await totalOf('sum')).toBeNull()
    await writer.upsert(after('sum', 1, 2))
    await writer.upsert(after('sum', 2, 5))
    await writer.upsert(after('sum', 1, 3))
    expect(await totalOf('sum')).toEqual(usageOf(8))
    const unlike: SessionUsage = { ...usageOf(3), inputTokens: 1000, activeMs: 9999, storage: { rowsRead: 500, rowsWritten: 9 } }
    await writer.upsert({ ...after('sum', 1, 3, 14), usage: unlike })
    expect(await totalOf('sum')).toEqual({
      ...usageOf(8),
      inputTokens: 800 + 700,
      activeMs: 12_000 + 9999 - 4500,
      storage: { rowsRead: 56 + 479, rowsWritten: 24 },
    })
  })

  test('[MET1] a write that is repeated, late or stale adds nothing, in whatever order they come', async () => {
    const writes = [1, 2, 3, 4, 5, 6].map((turns) => after('order', 1, turns))
    const shuffled = [3, 0, 5, 1, 5, 2, 4, 5, 3].flatMap((place) => writes[place] ?? [])
    for (const entry of shuffled) await writer.upsert(entry)
    expect(await totalOf('order')).toEqual(usageOf(6))
  })

  test('[MET1] many at once add up', async () => {
    const entries = Array.from({ length: 60 }, (_, i) => (i * 7) % 60).map((i) => after('race', i % 6, Math.floor(i / 6) + 1))
    await Promise.all(entries.map((entry) => writer.upsert(entry)))
    expect(await totalOf('race')).toEqual(usageOf(60))
  })

  test('[MET1] it stands by the day on which it was used, and the days make the total', async () => {
    await writer.upsert(after('days', 1, 1, 5, 20_000))
    await writer.upsert(after('days', 1, 4, 17, 20_001))
    await writer.upsert(after('days', 2, 2, 9, 20_000))
    expect(await daysOf('days')).toEqual([
      { day: 20_000, turns: 3 },
      { day: 20_001, turns: 3 },
    ])
    expect(await totalOf('days')).toEqual(usageOf(6))
  })

  test('[MET1] an erased session keeps what it added, and adds no more', async () => {
    await writer.upsert(after('erased-usage', 1, 3))
    await writer.bury('erased-usage', sessionId(1), 5)
    await writer.upsert(after('erased-usage', 1, 9, 99))
    expect(await totalOf('erased-usage')).toEqual(usageOf(3))
    await writer.forget('erased-usage', sessionId(1))
    expect(await totalOf('erased-usage')).toEqual(usageOf(3))
  })

  test('[MET1] a turn writes one row more for it, and what uses nothing writes none', async () => {
    const cost = async (entry: ReturnType<typeof after>) => (await costOf((db) => new D1IndexWriter(db).upsert(entry))).rowsWritten
    expect(await cost(after('rows', 1, 0, 1))).toBe(2)
    expect(await cost(after('rows', 1, 1, 5))).toBe(3)
    expect(await cost(after('rows', 1, 1, 5))).toBe(0)
    expect(await cost(after('rows', 1, 1, 6))).toBe(2)
    expect(await cost(after('rows', 1, 2, 9))).toBe(3)
  })

  test('[MET1] a row of before usage was counted counts as having used nothing but its turns', async () => {
    await writer.upsert(after('old', 1, 5))
    const forget = 'update sessions set input_tokens = null, active_ms = null where tenant = ?'
    await env.INDEX.batch([env.INDEX.prepare(forget).bind('old'), env.INDEX.prepare('delete from usage_days where tenant = ?').bind('old')])
    await writer.upsert(after('old', 1, 6))
    expect(await totalOf('old')).toEqual({ ...usageOf(1), inputTokens: 600, activeMs: 9000 })
  })

  test('[SEC1] tenants are told apart, and all of them are listed by name, as many as asked for', async () => {
    for (const tenant of ['zz-a', 'zz-b', 'zz-c']) await writer.upsert(after(tenant, 1, 2))
    const all = await readAllUsage(env.INDEX, 1000)
    expect(all.filter(({ tenant }) => tenant.startsWith('zz-'))).toEqual(
      ['zz-a', 'zz-b', 'zz-c'].map((tenant) => ({ tenant, usage: usageOf(2) })),
    )
    expect(all.map(({ tenant }) => tenant)).toEqual(all.map(({ tenant }) => tenant).toSorted())
    expect(await readAllUsage(env.INDEX, 3)).toEqual(all.slice(0, 3))
  })

  test('[IDX4] totals read days, however many sessions there are', async () => {
    for (let n = 1; n <= 40; n++) await writer.upsert(after('wide', n, 1, 5, 20_000 + (n % 4)))
    const cost = await costOf((db) => readUsage(db, 'wide'))
    expect([cost.rowsRead <= 5, cost.rowsWritten]).toEqual([true, 0])
  })
})
