import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/protocol/limits.ts'
import { listSessions, type SessionQuery } from '../../src/session-index/session-list.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { costOf, entryOf, everySession, listed, listedNumbers, seed, sessionId } from './index-fixture.ts'

const writer = new D1IndexWriter(env.INDEX)

const descending = (from: number, to = 1) => Array.from({ length: from - to + 1 }, (_, i) => from - i)

const refusalOf = async (tenant: string, query: Partial<SessionQuery>) => {
  const result = await listSessions(env.INDEX, tenant, { ...everySession, ...query })
  return result.ok ? null : result.error.code
}

describe('pages', () => {
  test('[IDX4] newest update first, then id, complete at every page size', async () => {
    for (let n = 1; n <= 23; n++) await writer.upsert(entryOf('order', n, { updatedAt: Math.floor(n / 4) }))
    for (const limit of [1, 2, 3, 4, 5, 22, 23, 24]) expect(await listedNumbers('order', { limit })).toEqual(descending(23))
  })

  test('[IDX4] next is null exactly at the end', async () => {
    await seed('ends', 10)
    expect((await listed('ends', { limit: 10 })).next).toBeNull()
    expect((await listed('ends', { limit: 9 })).next).not.toBeNull()
    expect(await listed('nobody')).toEqual({ items: [], next: null })
  })

  test('[IDX4] while sessions move up and new ones come, nothing at rest is missed and nothing is listed twice', async () => {
    await seed('moving', 60)
    const seen: number[] = []
    let cursor: string | null = null
    let clock = 1_000_000
    do {
      const page = await listed('moving', { limit: 7, cursor })
      seen.push(...page.items.map(({ id }) => Number(id.slice(4))))
      cursor = page.next
      clock += 1000
      // One that was listed, one that was not yet, and a new one, all to the very top.
      await writer.upsert(entryOf('moving', seen.at(-1) ?? 0, { head: 2, updatedAt: clock }))
      await writer.upsert(entryOf('moving', 3, { head: clock, updatedAt: clock }))
      await writer.upsert(entryOf('moving', 100 + clock / 1000, { updatedAt: clock }))
    } while (cursor !== null)
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(descending(60).filter((n) => n !== 3))
  })

  test.each([10, 10_000])('[IDX4] a page of %i sessions reads its own rows, one ahead and one behind, and writes none', async (count) => {
    await seed(`pages-${count}`, count)
    const first = await costOf((db) => listed(`pages-${count}`, { limit: 5 }, db))
    expect(first).toMatchObject({ rowsRead: 6, rowsWritten: 0, statements: 1 })
    let cursor: string | null = null
    for (let page = 0; page < Math.min(count / 5 - 1, 20); page++) cursor = (await listed(`pages-${count}`, { limit: 5, cursor })).next
    const late = await costOf((db) => listed(`pages-${count}`, { limit: 5, cursor }, db))
    expect(late.rowsRead).toBeLessThanOrEqual(7)
  })

  test('[IDX4] thousands of sessions of the very same time are paged as cheaply', async () => {
    await seed('ties', 3000)
    await env.INDEX.prepare(`update sessions set updated_at = 5 where tenant = 'ties'`).run()
    const first = await listed('ties', { limit: 200 })
    const second = await costOf((db) => listed('ties', { limit: 200, cursor: first.next }, db))
    expect(second.rowsRead).toBeLessThanOrEqual(202)
    expect(await listedNumbers('ties', { limit: 200 })).toEqual(descending(3000))
  })

  test('[SEC1] a tenant sees its own sessions only', async () => {
    await writer.upsert(entryOf('mine', 1))
    await writer.upsert(entryOf('mine-too', 2))
    expect(await listedNumbers('mine')).toEqual([1])
  })
})

describe('filters', () => {
  test('[IDX4] each filter, alone and with others', async () => {
    const parent = { id: sessionId(1), seq: 3 }
    await writer.upsert(entryOf('filters', 1, { status: 'running', tags: ['red', 'a"b'] }))
    await writer.upsert(entryOf('filters', 2, { status: 'waiting', agent: 'other', tags: ['Red'] }))
    await writer.upsert(entryOf('filters', 3, { agent: 'other', parent, tags: ['red', ','] }))
    await writer.upsert(entryOf('filters', 4, { archived: true, parent, tags: ['red'] }))
    await writer.upsert(entryOf('filters', 5, { parent: { id: sessionId(2), seq: 1 }, tags: ['redder'] }))
    const cases: [Partial<SessionQuery>, number[]][] = [
      [{}, [5, 3, 2, 1]],
      [{ archived: false }, [5, 3, 2, 1]],
      [{ archived: true }, [4]],
      [{ status: 'running' }, [1]],
      [{ status: 'idle' }, [5, 3]],
      [{ agent: 'other' }, [3, 2]],
      [{ agent: 'other', status: 'waiting' }, [2]],
      [{ tag: 'red' }, [3, 1]],
      [{ tag: 'Red' }, [2]],
      [{ tag: ',' }, [3]],
      [{ tag: 'a"b' }, [1]],
      [{ tag: 'a' }, []],
      [{ tag: 'red', archived: true }, [4]],
      [{ parent: sessionId(1) }, [3]],
      [{ parent: sessionId(1), archived: true }, [4]],
      [{ parent: sessionId(2), tag: 'redder', status: 'idle' }, [5]],
      [{ parent: sessionId(3) }, []],
    ]
    for (const [query, numbers] of cases) expect(await listedNumbers('filters', query), JSON.stringify(query)).toEqual(numbers)
  })

  test('[IDX4] a filtered page looks at a bounded number of rows and goes on from where it stopped', async () => {
    await seed('rare', 3500)
    const page = await listed('rare', { agent: 'nobody' })
    expect(page.items).toEqual([])
    expect(page.next).not.toBeNull()
    const cost = await costOf((db) => listed('rare', { agent: 'nobody' }, db))
    expect(cost.rowsRead).toBeLessThanOrEqual(limits.pageScan + 1)
    expect(cost.rowsWritten).toBe(0)
    expect(await listedNumbers('rare', { agent: 'nobody' })).toEqual([])
    for (const limit of [1, 2, 3, 50, 200]) expect(await listedNumbers('rare', { status: 'running', limit })).toEqual([3000, 2000, 1000])
  })

  test('[IDX4] a page that is full ends its scan, though one of the rows it read was filtered out', async () => {
    await seed('full', 500)
    await writer.upsert(entryOf('full', 498, { archived: true, head: 2 }))
    expect((await costOf((db) => listed('full', { limit: 5 }, db))).rowsRead).toBe(6)
    expect(await listedNumbers('full', { limit: 5 })).toEqual(descending(500).filter((n) => n !== 498))
  })

  test('[IDX4] filtered pages miss nothing at the seams of the scan', async () => {
    await seed('seams', 2200)
    const kept = (n: number) => n % 7 === 0 || n > 2195 || n < 4
    await env.INDEX.prepare(
      `update sessions set agent = 'kept' where tenant = 'seams' and (updated_at / 1000 % 7 = 0 or updated_at > 2195000 or updated_at < 4000)`,
    ).run()
    const expected = descending(2200).filter(kept)
    for (const limit of [1, 6, 143, 200]) expect(await listedNumbers('seams', { agent: 'kept', limit })).toEqual(expected)
  })
})

describe('cursors', () => {
  test('[SEC1] a cursor is refused when malformed, of another tenant or of other filters', async () => {
    await seed('cursors', 5)
    const cursor = (await listed('cursors', { limit: 2 })).next ?? ''
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(await refusalOf('cursors', { cursor })).toBeNull()
    expect(await refusalOf('cursors', { cursor, limit: 4 })).toBeNull()
    expect(await refusalOf('cursors', { cursor, archived: false })).toBeNull()
    expect(await refusalOf('other', { cursor })).toBe('invalid_request')
    const others: Partial<SessionQuery>[] = [
      { q: 'x' },
      { status: 'idle' },
      { agent: 'a' },
      { tag: 't' },
      { archived: true },
      { parent: sessionId(1) },
    ]
    for (const filter of others) expect(await refusalOf('cursors', { cursor, ...filter })).toBe('invalid_request')
    const malformed = [
      '',
      'x',
      '%%%',
      cursor.slice(1),
      cursor.slice(0, -4),
      `${cursor}AAAA`,
      btoa('{}'),
      btoa('null'),
      btoa('[1]'),
      'A'.repeat(10_000),
      'é',
    ]
    for (const bad of malformed) expect(await refusalOf('cursors', { cursor: bad }), bad.slice(0, 20)).toBe('invalid_request')
  })
})
