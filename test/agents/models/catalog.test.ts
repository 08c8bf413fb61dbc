import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Catalog } from '../../../src/agents/models/catalog.ts'
import type { ListedModel } from '../../../src/agents/models/provider.ts'

const model = (id: string): ListedModel => ({ id, name: null, window: null })
const minute = 60_000

/** A catalog whose provider answers when the test says so. */
function catalog() {
  const clock = { now: 1000 }
  const reads: { answer: (...ids: string[]) => void; fail: (why: string) => void; signal: AbortSignal }[] = []
  const read = (signal: AbortSignal) =>
    new Promise<ListedModel[]>((resolve, reject) => {
      reads.push({ answer: (...ids) => resolve(ids.map(model)), fail: (why) => reject(new Error(why)), signal })
    })
  const explain = (error: unknown) => (error instanceof Error ? error.message : 'timed out')
  return { clock, reads, list: new Catalog(read, explain, () => clock.now) }
}

const ids = ({ models }: { models: readonly ListedModel[] }) => models.map(({ id }) => id)

/** What was said to be kept alive. */
function kept() {
  const works: Promise<unknown>[] = []
  return { works, keepAlive: (work: Promise<unknown>) => void works.push(work) }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a provider’s list', () => {
  it('[AGT2] is read once, however many ask, and kept for five minutes', async () => {
    const { clock, reads, list } = catalog()
    const asked = Promise.all([list.current(), list.current(), list.current()])
    reads[0]?.answer('a')
    expect((await asked).map(ids)).toEqual([['a'], ['a'], ['a']])
    clock.now += 5 * minute - 1
    expect(ids(await list.current())).toEqual(['a'])
    expect(reads.length).toBe(1)
  })

  it('[AGT2] is answered as it was while it is read again', async () => {
    const { clock, reads, list } = catalog()
    const first = list.current()
    reads[0]?.answer('a')
    await first
    clock.now += 5 * minute
    const { works, keepAlive } = kept()
    expect(ids(await list.current(keepAlive))).toEqual(['a'])
    expect([works.length, reads.length]).toEqual([1, 2])
    reads[1]?.answer('a', 'b')
    await works[0]
    expect(list.state).toMatchObject({ checkedAt: clock.now, error: null })
    expect(ids(await list.current(keepAlive))).toEqual(['a', 'b'])
  })

  it('[AGT2] is waited for where nobody can keep the reading alive', async () => {
    const { clock, reads, list } = catalog()
    const first = list.current()
    reads[0]?.answer('a')
    await first
    clock.now += 5 * minute
    const second = list.current()
    reads[1]?.answer('b')
    expect(ids(await second)).toEqual(['b'])
  })

  it('[AGT2] a failure keeps what was known, is told, and is remembered for fifteen seconds', async () => {
    const { clock, reads, list } = catalog()
    const first = list.current()
    reads[0]?.answer('a')
    await first
    const readAt = clock.now
    clock.now += 5 * minute
    const second = list.current()
    reads[1]?.fail('It is down.')
    expect(await second).toEqual({ models: [model('a')], checkedAt: readAt, error: 'It is down.' })
    clock.now += 14_999
    await list.current()
    expect(reads.length).toBe(2)
    clock.now += 1
    const third = list.current()
    reads[2]?.answer('b')
    expect(await third).toEqual({ models: [model('b')], checkedAt: clock.now, error: null })
  })

  it('[AGT2] a request that was lost with whoever began it holds nobody up for ever', async () => {
    const { clock, reads, list } = catalog()
    // A Worker cancels what nobody waits for: neither its promise settles nor its timers fire.
    vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(new AbortController().signal)
    const lost = list.current()
    await vi.advanceTimersByTimeAsync(5500)
    expect(await lost).toEqual({ models: [], checkedAt: null, error: null })
    clock.now += 5500
    const next = list.current()
    expect(reads.length).toBe(2)
    reads[1]?.answer('a')
    expect(ids(await next)).toEqual(['a'])
  })
})
