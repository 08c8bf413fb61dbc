import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/protocol/limits.ts'
import { searchableTerms } from '../../src/session-index/search-terms.ts'
import { listSessions } from '../../src/session-index/session-list.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { costOf, entryOf, everySession, listed, listedNumbers, seed } from './index-fixture.ts'

const writer = new D1IndexWriter(env.INDEX)

describe('words', () => {
  test('[IDX4] titles, tags and summaries are found by whole words and by the beginning of the last one', async () => {
    await writer.upsert(entryOf('words', 1, { title: 'Fix the Login page', tags: ['front-end'] }))
    await writer.upsert(entryOf('words', 2, { title: 'Logging', tags: ['ops'] }, 'We moved the café to Zürich; login was fixed.'))
    await writer.upsert(entryOf('words', 3, { title: '東京の天気', lastMessage: 'login' }))
    await writer.upsert(entryOf('words', 4, { title: 'login archive', archived: true }))
    const cases: [string, number[]][] = [
      ['login', [2, 1]],
      ['log', [2, 1]],
      ['LOGIN Fix', [2, 1]],
      ['log fix', []],
      ['page login', [1]],
      ['cafe zurich', [2]],
      ['CAFÉ', [2]],
      ['front', [1]],
      ['front-end', [1]],
      ['天気', [3]],
      ['東', [3]],
      ['ogin', []],
      ['   ', [3, 2, 1]],
      ['***', []],
    ]
    for (const [q, numbers] of cases) expect(await listedNumbers('words', { q }), q).toEqual(numbers)
    expect(await listedNumbers('words', { q: 'login', archived: true })).toEqual([4])
    expect(await listedNumbers('words', { q: 'login', tag: 'ops' })).toEqual([2])
  })

  test('[IDX4] a session is found by its new words and no longer by its old ones', async () => {
    await writer.upsert(entryOf('renamed', 1, { title: 'before' }))
    await writer.upsert(entryOf('renamed', 1, { title: 'after', head: 2 }))
    expect(await listedNumbers('renamed', { q: 'before' })).toEqual([])
    expect(await listedNumbers('renamed', { q: 'after' })).toEqual([1])
    await writer.upsert(entryOf('renamed', 1, { head: 3 }))
    expect(await listedNumbers('renamed', { q: 'after' })).toEqual([])
  })

  test('[SEC5] the terms of one session and the words of one query are bounded', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')
    const entry = entryOf('bounded', 1, { title: 'x'.repeat(200) }, text)
    expect(searchableTerms(entry).trim().split(' ')).toHaveLength(limits.searchableTerms)
    await writer.upsert(entry)
    expect(await listedNumbers('bounded', { q: 'x'.repeat(200) })).toEqual([1])
    for (const q of ['y'.repeat(201), 'a '.repeat(limits.searchWords + 1)]) {
      const result = await listSessions(env.INDEX, 'bounded', { ...everySession, q })
      expect(result).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
    }
    const widest = Array.from({ length: limits.searchWords }, (_, i) => `w${i}`).join(' ')
    expect(await listedNumbers('bounded', { q: widest })).toEqual([1])
  })
})

describe('hostile queries', () => {
  test('[SEC1] the syntax of FTS5 and SQL is only text', async () => {
    await writer.upsert(entryOf('hostile', 1, { title: 'plain words near here' }))
    await writer.upsert(entryOf('victim', 2, { title: 'plain secret' }))
    const queries = [
      '"',
      '""',
      '"plain',
      'plain"',
      'plain OR secret',
      'plain NOT words',
      'NEAR(plain words, 2)',
      'terms:plain',
      '{terms session_id}: plain',
      '- plain',
      '^plain',
      'plain*',
      '(plain',
      'plain)',
      '+',
      "' or 1=1 --",
      '\u0000',
      'victim/plain',
      '" OR "victim/secret',
      'victim#',
      '%',
      '_',
      '\ud800',
      'a\u0000b',
      '\u202e',
      '👋',
      ';drop table sessions',
    ]
    for (const q of queries) {
      const result = await listSessions(env.INDEX, 'hostile', { ...everySession, q })
      expect(result.ok && result.value.items.every(({ title }) => title === 'plain words near here'), q).toBe(true)
    }
    expect(await listedNumbers('hostile', { q: 'plain*' })).toEqual([1])
    expect(await listedNumbers('hostile', { q: 'plain OR secret' })).toEqual([])
  })

  test('[SEC1] any text at all is a harmless title, tag and query, and a title finds itself', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((s) => s.isWellFormed())
    let n = 0
    const property = fc.asyncProperty(text, async (title) => {
      n += 1
      await writer.upsert(entryOf('any', n, { title, tags: [title] }))
      const found = await listSessions(env.INDEX, 'any', { ...everySession, q: title, limit: 200 })
      const wordless = !/[\p{L}\p{N}\p{M}]/u.test(title)
      if (found.ok) expect(wordless || found.value.items.some((item) => item.title === title)).toBe(true)
      expect((await listed('any', { tag: title })).items[0]?.title).toBe(title)
    })
    await fc.assert(property, { numRuns: 150 })
  })
})

describe('cost', () => {
  const tenants = Array.from({ length: 50 }, (_, i) => `shared-${i}`)

  test('[IDX4] search costs the same alone and among 50 tenants with the same words', async () => {
    await seed('shared-0', 200)
    const queries = ['common n77', 'common', 'n1', 'n', 'absent', 'common absent']
    const costs = async () => Promise.all(queries.map(async (q) => (await costOf((db) => listed('shared-0', { q }, db))).rowsRead))
    const alone = await costs()
    for (const tenant of tenants.slice(1)) await seed(tenant, 200)
    expect(await costs()).toEqual(alone)
    expect(alone[0]).toBeLessThanOrEqual(8)
    expect(alone[4]).toBeLessThanOrEqual(2)
    expect(Math.max(...alone)).toBeLessThanOrEqual(4 * 200 + 10)
  })

  test('[IDX4] among 10,000 sessions the oldest is found on the first page, and no page reads without bound', async () => {
    await seed('large', 10_000)
    const oldest = await costOf(async (db) => {
      const page = await listed('large', { q: 'common n42', limit: 200 }, db)
      expect(page.items.at(-1)?.title).toBe('common n42')
    })
    expect(oldest).toMatchObject({ rowsWritten: 0, statements: 2 })
    expect(oldest.rowsRead).toBeLessThanOrEqual(4 * 111 + 10)
    for (const [q, bound] of [
      ['common', 4300],
      ['n', 4300],
      ['common n', 4300],
    ] as const) {
      const cost = await costOf((db) => listed('large', { q }, db))
      expect(cost.rowsWritten).toBe(0)
      expect(cost.rowsRead, q).toBeLessThanOrEqual(bound)
    }
    const worst = await costOf((db) => listed('large', { q: 'common', agent: 'nobody' }, db))
    expect(worst.rowsRead).toBeLessThanOrEqual(6 * limits.pageScan + 10)
  })

  test('[IDX4] pages of a frequent word and of a rare one are complete and without doubles', async () => {
    await seed('paged', 2500)
    const all = Array.from({ length: 2500 }, (_, i) => 2500 - i)
    expect(await listedNumbers('paged', { q: 'common', limit: 200 })).toEqual(all)
    expect(await listedNumbers('paged', { q: 'n1', limit: 200 })).toEqual(all.filter((n) => String(n).startsWith('1')))
    expect(await listedNumbers('paged', { q: 'common', status: 'running', limit: 1 })).toEqual([2000, 1000])
  })
})
