/** The cache of lists on its own: one reading for many, and nobody waits for ever for one who died. */
import { afterEach, expect, it, vi } from 'vitest'
import { McpListCache, type CacheTimes } from '../../../src/agents/tools/mcp-list-cache.ts'

const times: CacheTimes = { freshMs: 100, staleMs: 200, pauseMs: 10, graceMs: 50, readMs: 60, entries: 2 }

afterEach(() => {
  vi.useRealTimers()
})

/** Counts its readings; each ends when it is told to. */
function source() {
  const waiting: ((value: string | null) => void)[] = []
  return {
    waiting,
    load: () =>
      new Promise<string>((resolve, reject) => {
        waiting.push((value) => (value === null ? reject(new Error('down')) : resolve(value)))
      }),
  }
}

it('[TOOL6] many who ask at once cause one reading', async () => {
  const { waiting, load } = source()
  const cache = new McpListCache<string>(times, () => 0)
  const asked = [1, 2, 3].map(() => cache.read('a', load))
  waiting[0]?.('list')
  expect(await Promise.all(asked)).toEqual(['list', 'list', 'list'])
  expect(await cache.read('a', load)).toBe('list')
  expect(waiting).toHaveLength(1)
})

it('[TOOL6] an old list is answered at once and read anew; a very old one is waited for', async () => {
  let now = 0
  const { waiting, load } = source()
  const cache = new McpListCache<string>(times, () => now)
  const first = cache.read('a', load)
  waiting[0]?.('first')
  await first
  now = 150
  expect(await cache.read('a', load)).toBe('first')
  waiting[1]?.('second')
  await Promise.resolve()
  await Promise.resolve()
  expect(await cache.read('a', load)).toBe('second')
  now = 350
  const third = cache.read('a', load)
  waiting[2]?.('third')
  expect(await third).toBe('third')
  expect(waiting).toHaveLength(3)
})

it('[TOOL6] whoever waits for a reading that never ends reads for itself, once for all of them', async () => {
  vi.useFakeTimers()
  const { waiting, load } = source()
  const cache = new McpListCache<string>(times, Date.now)
  const asked = [1, 2, 3].map(() => cache.read('a', load))
  await vi.advanceTimersByTimeAsync(times.readMs - 1)
  expect(waiting).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  waiting[1]?.('list')
  expect(await Promise.all(asked)).toEqual(['list', 'list', 'list'])
  expect(waiting).toHaveLength(2)
})

it('[TOOL6] where nobody ever answers, asking ends all the same', async () => {
  vi.useFakeTimers()
  const { waiting, load } = source()
  const asked = new McpListCache<string>(times, Date.now).read('a', load)
  await vi.advanceTimersByTimeAsync(2 * times.readMs)
  expect(await asked).toBeNull()
  expect(waiting).toHaveLength(2)
})

it('[TOOL6] after a failure there is a pause, and what was known counts for a while', async () => {
  let now = 0
  const { waiting, load } = source()
  const cache = new McpListCache<string>(times, () => now)
  const answer = async (value: string | null) => {
    const asked = cache.read('a', load)
    waiting.at(-1)?.(value)
    return asked
  }
  expect(await answer(null)).toBeNull()
  expect(await answer('ignored')).toBeNull()
  expect(waiting).toHaveLength(1)
  now = 10
  expect(await answer('list')).toBe('list')
  now = 500
  expect(await answer(null)).toBe('list')
  now = 549
  expect(await answer(null)).toBe('list')
  now = 560
  expect(await answer(null)).toBeNull()
})

it('[TOOL6] holds a bounded number of lists, those that were asked for last', async () => {
  const read: string[] = []
  const cache = new McpListCache<string>(times, () => 0)
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.read(key, async () => (read.push(key), key))
  expect(read).toEqual(['a', 'b', 'c', 'b'])
})
