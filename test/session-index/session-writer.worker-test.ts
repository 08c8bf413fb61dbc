import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import type { IndexEntry } from '../../src/session-index/index-entry.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { costOf, entryOf, listed, listedNumbers, seed, sessionId } from './index-fixture.ts'

const writer = new D1IndexWriter(env.INDEX)

const rowsWrittenBy = async (entry: IndexEntry) => (await costOf((db) => new D1IndexWriter(db).upsert(entry))).rowsWritten

const storedTerms = async (session: string) =>
  (await env.INDEX.prepare('select terms from session_search where session_id = ?').bind(session).all<{ terms: string }>()).results

describe('the version guard', () => {
  test('[IDX1] a row comes back as it was written', async () => {
    const { summary, ...entry } = entryOf('roundtrip', 1, {
      title: 'Ünïcode "quoted"',
      status: 'waiting',
      model: 'gpt',
      tags: ['a "b"', 'c,d'],
      parent: { id: sessionId(9), seq: 4 },
      head: 7,
      turns: 3,
      lastMessage: 'hello 👋',
    })
    await writer.upsert({ summary, ...entry })
    expect((await listed('roundtrip')).items).toEqual([summary])
  })

  test('[IDX1] only a higher version changes a row, in whatever order writes arrive', async () => {
    const versions = [5, 2, 9, 7, 9, 1]
    for (const head of versions) await writer.upsert(entryOf('guard', 1, { title: `title of ${head}`, head, updatedAt: 100 + head }))
    expect((await listed('guard')).items).toEqual([entryOf('guard', 1, { title: 'title of 9', head: 9, updatedAt: 109 }).summary])
    expect(await listedNumbers('guard', { q: 'title 9' })).toEqual([1])
    expect(await listedNumbers('guard', { q: 'title 7' })).toEqual([])
    expect(await storedTerms(sessionId(1)).then((rows) => rows.filter(({ terms }) => terms.includes('guard/')))).toHaveLength(1)
  })

  test('[IDX1] a stale write without words does not take the words away', async () => {
    await writer.upsert(entryOf('kept', 1, { title: 'kept words', head: 3 }))
    await writer.upsert(entryOf('kept', 1, { head: 2 }))
    expect(await listedNumbers('kept', { q: 'kept words' })).toEqual([1])
  })

  test('[IDX1] concurrent writes of one session end at the highest version', async () => {
    const heads = Array.from({ length: 30 }, (_, i) => ((i * 7) % 30) + 1)
    await Promise.all(heads.map((head) => writer.upsert(entryOf('race', 1, { title: `v${head}`, head }))))
    expect((await listed('race')).items[0]?.title).toBe('v30')
    expect(await listedNumbers('race', { q: 'v30' })).toEqual([1])
  })
})

describe.each([10, 10_000])('rows written in an index of %i sessions', (count) => {
  const tenant = `writes-${count}`

  test('[IDX2] create 2 or 3, plain turn 3, retitle 3, the same or an older version 0, bury and forget', async () => {
    await seed(tenant, count)
    const n = count + 1
    const named = { title: 'words to find', tags: ['x'] }
    const steps: [string, IndexEntry, number][] = [
      ['create without words', entryOf(tenant, n + 1), 2],
      ['create', entryOf(tenant, n, named), 3],
      ['plain turn', entryOf(tenant, n, { ...named, head: 5, updatedAt: 9_000_000, lastMessage: 'hi', turns: 1 }), 3],
      ['the same again', entryOf(tenant, n, { ...named, head: 5, updatedAt: 9_000_000, lastMessage: 'hi', turns: 1 }), 0],
      ['older', entryOf(tenant, n, { title: 'late', head: 4 }), 0],
      ['retitled', entryOf(tenant, n, { title: 'other words', head: 6, updatedAt: 9_000_001, turns: 1 }), 3],
      ['compacted', entryOf(tenant, n, { title: 'other words', head: 7, updatedAt: 9_000_002, turns: 1 }, 'a summary'), 3],
      ['words gone', entryOf(tenant, n, { head: 8, updatedAt: 9_000_003, turns: 1 }), 3],
    ]
    for (const [step, entry, rows] of steps) expect(await rowsWrittenBy(entry), step).toBe(rows)
    const bury = () => costOf((db) => new D1IndexWriter(db).bury(tenant, sessionId(count), 5))
    expect((await bury()).rowsWritten).toBeLessThanOrEqual(3)
    expect((await bury()).rowsWritten).toBe(0)
    expect((await costOf((db) => new D1IndexWriter(db).forget(tenant, sessionId(count)))).rowsWritten).toBe(1)
  })

  test('[IDX2] a write reads a handful of rows, however many there are', async () => {
    const cost = await costOf((db) => new D1IndexWriter(db).upsert(entryOf(tenant, 1, { title: 'again', head: 2, updatedAt: 1 })))
    expect(cost.rowsRead).toBeLessThanOrEqual(4)
  })
})

describe('tombstones', () => {
  test('[ERA1] a tombstone keeps the id and nothing else, in no list and no search, its words gone from the index files', async () => {
    const parent = { id: sessionId(77), seq: 2 }
    const entry = entryOf('erased', 1, { title: 'zyxwvutsrq', tags: ['secret'], model: 'm', lastMessage: 'said', parent }, 'summary')
    await writer.upsert(entry)
    await writer.upsert(entryOf('erased', 2, { title: 'stays' }))
    expect(await listedNumbers('erased', { q: 'zyxwvutsrq' })).toEqual([1])
    expect(await blocksHolding('yxwvutsrq')).toBe(1)
    await writer.bury('erased', sessionId(1), 1234)
    const row = await env.INDEX.prepare('select * from sessions where tenant = ? and id = ?').bind('erased', sessionId(1)).first()
    const kept = Object.entries(row ?? {}).filter(([, value]) => value !== null)
    expect(Object.fromEntries(kept)).toEqual({
      tenant: 'erased',
      id: sessionId(1),
      version: Number.MAX_SAFE_INTEGER,
      search_id: expect.any(Number),
      buried_at: 1234,
    })
    expect(await listedNumbers('erased')).toEqual([2])
    for (const filter of [{ q: 'zyxwvutsrq' }, { tag: 'secret' }, { parent: parent.id }, { archived: true }]) {
      expect(await listedNumbers('erased', filter)).toEqual([])
    }
    expect(await blocksHolding('yxwvutsrq')).toBe(0)
    expect(await blocksHolding('stays')).toBe(1)
  })

  test('[ERA1] no late write of any version brings an erased session back', async () => {
    await writer.upsert(entryOf('late', 1, { title: 'first' }))
    await writer.bury('late', sessionId(1), 10)
    for (const head of [1, 2, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      const cost = await rowsWrittenBy(entryOf('late', 1, { title: 'undead', head }))
      expect(cost).toBe(0)
    }
    expect(await listedNumbers('late')).toEqual([])
    expect(await listedNumbers('late', { q: 'undead' })).toEqual([])
  })

  test('[ERA1] a session that the index never heard of is buried all the same', async () => {
    await writer.bury('unheard', sessionId(1), 10)
    await writer.upsert(entryOf('unheard', 1, { title: 'late', head: 99 }))
    expect(await listedNumbers('unheard')).toEqual([])
  })

  test('[ERA1] forget deletes a tombstone and never a living session', async () => {
    await writer.upsert(entryOf('forgotten', 1))
    await writer.upsert(entryOf('forgotten', 2))
    await writer.bury('forgotten', sessionId(1), 10)
    await writer.forget('forgotten', sessionId(1))
    await writer.forget('forgotten', sessionId(2))
    const { results } = await env.INDEX.prepare('select id from sessions where tenant = ?').bind('forgotten').all()
    expect(results).toEqual([{ id: sessionId(2) }])
  })

  test('[SEC1] burying touches the session of that tenant only', async () => {
    for (const tenant of ['one', 'two']) await writer.upsert(entryOf(tenant, 1, { title: 'twin' }))
    await writer.bury('one', sessionId(1), 10)
    expect(await listedNumbers('two', { q: 'twin' })).toEqual([1])
  })
})

/** Blocks of the full-text index that hold these bytes. A term's first character may be shared with its neighbour's. */
async function blocksHolding(word: string): Promise<number> {
  const statement = 'select count(*) as blocks from session_search_data where instr(block, cast(? as blob)) > 0'
  return (await env.INDEX.prepare(statement).bind(word).first<number>('blocks')) ?? -1
}
