/** What things cost in billed rows, and that history does not change it. Counted by the platform's own cursors. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { IndexEntry } from '../../src/session-index/index-entry.ts'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { readIndexEntry } from '../../src/session/read-session.ts'
import { restore } from '../../src/session/restore.ts'
import { SessionStore } from '../../src/storage/session-store.ts'
import { newSessionId } from '../edge/edge-client.ts'
import { costOf } from '../session-index/index-fixture.ts'
import { objectSql } from '../../src/session/object-host.ts'
import { grow, perform, RowMeter, stubOf } from './object-probe.ts'
import { getSession, newSession, runTurn } from './session-client.ts'

const measuredTurns = 64

interface TurnRows {
  /** Written, as the cursors count; and as the turn's own usage tells. */
  written: number
  told: number
  read: number
}

/** Plain turns, each of which finds that the alarm has fired: the dearest way to run them. */
async function plainTurns(id: string): Promise<TurnRows[]> {
  const stub = stubOf(id)
  const meter = await RowMeter.install(stub)
  const turns: TurnRows[] = []
  for (let turn = 0; turn < measuredTurns; turn++) {
    await runDurableObjectAlarm(stub)
    const before = meter.rowsWritten
    const { storage } = (await runTurn(id, 'hello')).turn.usage
    turns.push({ written: meter.rowsWritten - before, told: storage.rowsWritten, read: storage.rowsRead })
  }
  return turns
}

/** What the object would tell the index now. */
function indexEntryOf(id: string): Promise<IndexEntry> {
  return runInDurableObject(stubOf(id), (_, { storage }) => {
    const store = new SessionStore(objectSql(storage.sql))
    const { state } = restore(store)
    if (!state) throw new Error('There is no session')
    return readIndexEntry(store, state, 'cost-of-a-turn')
  })
}

async function rowsInIndex(id: string): Promise<number> {
  await new D1IndexWriter(env.INDEX).upsert(await indexEntryOf(id))
  await runTurn(id, 'hello')
  const entry = await indexEntryOf(id)
  return (await costOf((db) => new D1IndexWriter(db).upsert(entry))).rowsWritten
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)

describe('a plain turn after 9 events and after 10,001', () => {
  const histories: { id: string; turns: TurnRows[] }[] = []

  beforeAll(async () => {
    for (const earlierTurns of [2, 2_500]) {
      const id = await newSession({ title: 'words to search', tags: ['x'] })
      await grow(id, earlierTurns)
      expect((await getSession(id)).head).toBe(1 + 4 * earlierTurns)
      histories.push({ id, turns: [] })
    }
    await Promise.all(histories.map(async (history) => (history.turns = await plainTurns(history.id))))
  }, 120_000)

  it('[LOG4] writes 3.2 rows at most in the mean of 64 turns, alarms and snapshots included, and never more than 5', () => {
    for (const { turns } of histories) {
      const written = turns.map((turn) => turn.written)
      expect(sum(written) / measuredTurns).toBeLessThanOrEqual(3.2)
      expect(Math.max(...written)).toBeLessThanOrEqual(5)
      expect(Math.min(...written)).toBeGreaterThanOrEqual(2)
    }
  })

  it('[LOG4] writes and reads as many rows after a long history as after a short one', () => {
    const [short, long] = histories.map(({ turns }) => ({
      written: sum(turns.map((turn) => turn.written)),
      // The first turn reads the context that the object does not remember yet.
      read: Math.max(...turns.slice(1).map((turn) => turn.read)),
    }))
    expect(long).toEqual(short)
  })

  it('[LOG4] tells exactly the rows that were written', () => {
    for (const { turns } of histories) expect(turns.map(({ told }) => told)).toEqual(turns.map(({ written }) => written))
  })

  it('[IDX2] writes 3 rows at most in the index, after a long history as after a short one', async () => {
    const rows = [await rowsInIndex(histories[0]?.id ?? ''), await rowsInIndex(histories[1]?.id ?? '')]
    expect(rows[0]).toBeGreaterThan(0)
    expect(rows[0]).toBeLessThanOrEqual(3)
    expect(rows[1]).toBe(rows[0])
  })
})

it('[LOG4] a session is made with 8 rows at most, its tables and its alarm included', async () => {
  const id = newSessionId()
  const stub = stubOf(id)
  const meter = await RowMeter.install(stub)
  const body = { title: 'A title', instructions: 'Be brief.', metadata: { a: 1 }, tags: ['x'] }
  expect((await perform(stub, id, { verb: 'create', args: { body } })).ok).toBe(true)
  expect(meter.rowsWritten).toBeGreaterThan(0)
  expect(meter.rowsWritten).toBeLessThanOrEqual(8)
})

it('[LOG4] turns that overlap tell, all together, exactly the rows that were written', async () => {
  const id = await newSession()
  const meter = await RowMeter.install(stubOf(id))
  const turns = await Promise.all(Array.from({ length: 8 }, () => runTurn(id, '/stream 3 5')))
  expect(sum(turns.map(({ turn }) => turn.usage.storage.rowsWritten))).toBe(meter.rowsWritten)
})

it('[LOG4] a long answer tells its partial text, written every two seconds, and its pieces', async () => {
  const id = await newSession()
  const meter = await RowMeter.install(stubOf(id))
  for (const input of ['/stream 250 20', '/bytes 3000000']) {
    const before = meter.rowsWritten
    const { storage } = (await runTurn(id, input)).turn.usage
    expect(storage.rowsWritten).toBe(meter.rowsWritten - before)
    expect(storage.rowsWritten).toBeGreaterThan(2)
  }
})
