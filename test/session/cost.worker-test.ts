/** What things cost in billed rows, and that history does not change it. Counted by the platform's own cursors. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { SessionStore } from '../../src/storage/session-store.ts'
import { restore } from '../../src/session/restore.ts'
import { readIndexEntry } from '../../src/session/read-session.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import type { IndexEntry } from '../../src/session-index/index-entry.ts'
import { runInDurableObject } from 'cloudflare:test'
import { newSessionId } from '../edge/edge-client.ts'
import { costOf } from '../session-index/index-fixture.ts'
import { objectSql } from '../storage/object-sql.ts'
import { crash, grow, perform, RowMeter, stubOf } from './object-probe.ts'
import { everyEvent, getSession, newSession, runTurn } from './session-client.ts'

const measuredTurns = 64

/** Rows written, measured and as the turn itself tells, of plain turns that each find their alarm fired. */
async function plainTurns(id: string) {
  const stub = stubOf(id)
  const meter = await RowMeter.install(stub)
  const turns: { measured: number; told: number; read: number }[] = []
  for (let turn = 0; turn < measuredTurns; turn++) {
    await runDurableObjectAlarm(stub)
    const before = meter.rowsWritten
    const { usage } = (await runTurn(id, 'hello')).turn
    turns.push({ measured: meter.rowsWritten - before, told: usage.storage.rowsWritten, read: usage.storage.rowsRead })
  }
  return turns
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)

describe('rows of a plain turn, after 10 earlier events and after 10,000', () => {
  let short: Awaited<ReturnType<typeof plainTurns>>
  let long: typeof short

  beforeAll(async () => {
    const ids = [await newSession(), await newSession()] as const
    await Promise.all([grow(ids[0], 2), grow(ids[1], 2_500)])
    expect((await getSession(ids[0])).head).toBe(9)
    expect((await getSession(ids[1])).head).toBe(10_001)
    ;[short, long] = await Promise.all([plainTurns(ids[0]), plainTurns(ids[1])])
  }, 120_000)

  it('[LOG4] a plain turn writes 3.2 rows at most in the mean of 64, alarms and snapshots included, and none more than 5', () => {
    for (const turns of [short, long]) {
      expect(sum(turns.map(({ measured }) => measured)) / measuredTurns).toBeLessThanOrEqual(3.2)
      expect(Math.max(...turns.map(({ measured }) => measured))).toBeLessThanOrEqual(5)
    }
  })

  it('[LOG4] the same rows are written, and no more are read, whatever came before', () => {
    expect(sum(long.map(({ measured }) => measured))).toBe(sum(short.map(({ measured }) => measured)))
    const steady = (turns: typeof short) => Math.max(...turns.slice(1).map(({ read }) => read))
    expect(steady(long)).toBe(steady(short))
  })

  it('[LOG4] the rows a turn says it wrote are the rows that were written', () => {
    for (const turns of [short, long]) expect(turns.map(({ told }) => told)).toEqual(turns.map(({ measured }) => measured))
  })
})

it('[LOG4] a session is made with 8 rows at most, its tables included', async () => {
  const id = newSessionId()
  const stub = stubOf(id)
  const meter = await RowMeter.install(stub)
  const body = { title: 'A title', instructions: 'Be brief.', metadata: { a: 1 }, tags: ['x'] }
  expect((await perform(stub, id, { verb: 'create', args: { body } })).ok).toBe(true)
  expect(meter.rowsWritten).toBeGreaterThan(0)
  expect(meter.rowsWritten).toBeLessThanOrEqual(8)
})

/** What the object would tell the index now. */
function indexEntryOf(id: string): Promise<IndexEntry> {
  return runInDurableObject(stubOf(id), (_, { storage }) => {
    const store = new SessionStore(objectSql(storage.sql))
    const { state } = restore(store)
    if (!state) throw new Error('There is no session')
    return readIndexEntry(store, state, 'cost-of-a-turn')
  })
}

it.each([2, 2_500])('[IDX2] a plain turn after %i others writes 3 rows at most in D1', async (turns) => {
  const id = await newSession({ title: 'words to search', tags: ['x'] })
  await grow(id, turns)
  await costOf(async (db) => new D1IndexWriter(db).upsert(await indexEntryOf(id)))
  await runTurn(id, 'hello')
  const entry = await indexEntryOf(id)
  const { rowsWritten } = await costOf((db) => new D1IndexWriter(db).upsert(entry))
  expect(rowsWritten).toBeGreaterThan(0)
  expect(rowsWritten).toBeLessThanOrEqual(3)
})

/** Rows read by each wake-up, as the object logs them. */
function wakeLog() {
  const spy = vi.spyOn(console, 'info').mockImplementation(() => {})
  return () => {
    const lines = spy.mock.calls.map(([line]) => JSON.parse(String(line)) as { event: string; rowsRead: number })
    spy.mockClear()
    return lines.filter(({ event }) => event === 'session.woke').map(({ rowsRead }) => rowsRead)
  }
}

async function rowsToWake(id: string, wakes: () => number[]): Promise<number> {
  await crash(stubOf(id))
  wakes()
  await getSession(id)
  const [rowsRead, ...more] = wakes()
  if (rowsRead === undefined || more.length > 0) throw new Error('It did not wake exactly once')
  return rowsRead
}

describe('waking', () => {
  it('[LOG6] reads 64 rows at most, and the same number after 10,000 events as after 129', async () => {
    const wakes = wakeLog()
    const rows: number[] = []
    // The log's rows since the newest snapshot are equally many: both counts of turns leave the same rest of 16.
    for (const turns of [32 + 8, 2_496 + 8]) {
      const id = await newSession()
      await grow(id, turns)
      rows.push(await rowsToWake(id, wakes))
    }
    expect(rows[1]).toBe(rows[0])
    expect(Math.max(...rows)).toBeLessThanOrEqual(64)
  })

  it('[LOG6] reads 64 rows at most at every place between two snapshots', async () => {
    const wakes = wakeLog()
    const id = await newSession()
    const rows: number[] = []
    for (let turn = 0; turn < 40; turn++) {
      await runTurn(id, '/bytes 1')
      rows.push(await rowsToWake(id, wakes))
    }
    expect(Math.max(...rows)).toBeLessThanOrEqual(64)
    // Falling means that a snapshot was taken; without any the last would be the largest.
    expect(rows.some((count, index) => index > 0 && count < (rows[index - 1] ?? 0))).toBe(true)
  })

  it.each([
    ['inputs of 1 MiB', 'x'.repeat(1024 * 1024 - 64)],
    ['answers of 2 MB', '/bytes 2000000'],
    ['answers of 16 MiB', '/bytes 16777216'],
  ])('[LOG4] reads 64 rows at most with %s', async (_, input) => {
    const wakes = wakeLog()
    const id = await newSession()
    const rows: number[] = []
    for (let turn = 0; turn < 14; turn++) {
      if (input.startsWith('/')) await runTurn(id, input)
      else await largeInput(id, input)
      rows.push(await rowsToWake(id, wakes))
      if (input === '/bytes 16777216' && turn === 3) break
    }
    expect(Math.max(...rows)).toBeLessThanOrEqual(64)
  }, 120_000)
})

/** The demo agent repeats plain words one by one for ever; a command that it does not know is answered at once. */
async function largeInput(id: string, input: string): Promise<void> {
  await runTurn(id, `/unknown ${input.slice(9)}`)
  const large = (await everyEvent(id)).filter(({ type }) => type === 'turn.queued')
  expect(JSON.stringify(large.at(-1)).length).toBeGreaterThan(1024 * 1024 - 64)
}
