/** Storage inside an object: the contract, and the rows it costs, which only the platform counts. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { SessionStore } from '../../src/storage/session-store.ts'
import { storageContract, type Database, type LendDatabase } from './contract.ts'
import { objectSql } from '../../src/session/object-host.ts'
import { outputContract } from './output-contract.ts'
import { rowContract } from './row-contract.ts'
import { commitOf, partialOf, stateAt } from './samples.ts'
import { versionContract } from './version-contract.ts'

let lent = 0

const lendObject: LendDatabase = async (use) => {
  lent += 1
  const stub = env.SESSIONS.getByName(`default/storage-test-${lent}`)
  await runInDurableObject(stub, (_, { storage }) => {
    use({ sql: objectSql(storage.sql), transaction: (change) => storage.transactionSync(change) })
  })
}

storageContract('storage inside an object', lendObject)
rowContract('rows inside an object', lendObject)
outputContract('outputs inside an object', lendObject)
versionContract('versions inside an object', lendObject)

/** Rows read and written by a piece of work. */
function cost(store: SessionStore, work: () => void): { read: number; written: number } {
  const { rowsRead, rowsWritten } = store
  work()
  return { read: store.rowsRead - rowsRead, written: store.rowsWritten - rowsWritten }
}

/** A session of so many commits, with a snapshot behind every 32 of them, in a store that has found its tables. */
function grown({ sql, transaction }: Database, commits: number): SessionStore {
  transaction(() => grow(new SessionStore(sql), commits))
  const store = new SessionStore(sql)
  expect(store.exists()).toBe(true)
  return store
}

function grow(store: SessionStore, commits: number): void {
  for (let seq = 1; seq <= commits; seq++) {
    store.append(commitOf(seq, [`words of ${seq}`]))
    if (seq % 32 === 0) saveSnapshot(store, seq)
  }
}

function saveSnapshot({ snapshots }: SessionStore, seq: number): void {
  snapshots.save({ seq, state: stateAt(seq) })
  snapshots.saveWindow({ seq, commands: [] })
}

function wake({ log, snapshots, partial }: SessionStore): void {
  const newest = snapshots.newest()
  snapshots.window()
  log.after(newest?.seq ?? 0)
  partial.load()
}

describe('rows that storage costs', () => {
  it('[LOG4] the first commit writes five rows, its two tables included, and so leaves one of six for the alarm', () =>
    lendObject(({ sql }) => {
      const store = new SessionStore(sql)
      expect(cost(store, () => store.append(commitOf(1, ['hello']))).written).toBe(5)
    }))

  it('[LOG4] a commit writes one row and reads one, to see that its place is free, with 10 commits before it as with 10,000', async () => {
    for (const before of [10, 10_000]) {
      await lendObject((database) => {
        const store = grown(database, before)
        expect(cost(store, () => store.append(commitOf(before + 1, ['hello'])))).toEqual({ read: 1, written: 1 })
      })
    }
  })

  it('[LOG6] a snapshot writes two rows: itself and the idempotency window; a partial text one, again and again', () =>
    lendObject((database) => {
      const store = grown(database, 1)
      expect(cost(store, () => saveSnapshot(store, 1))).toEqual({ read: 2, written: 2 })
      expect(cost(store, () => saveSnapshot(store, 2))).toEqual({ read: 2, written: 2 })
      for (const words of ['so', 'so far']) {
        expect(cost(store, () => store.partial.save(partialOf(1, words)))).toEqual({ read: 1, written: 1 })
      }
    }))

  it('[LOG4] a large output writes a row for each MiB; reading it costs as many and one to see its end', () =>
    lendObject((database) => {
      const store = grown(database, 64)
      for (const [seq, rows] of [
        [1, 1],
        [2, 3],
      ] as const) {
        const text = 'x'.repeat((rows - 0.5) * 1024 * 1024)
        expect(cost(store, () => store.outputs.save(seq, text)).written).toBe(rows)
        expect(cost(store, () => store.outputs.at(seq))).toEqual({ read: rows + 1, written: 0 })
      }
    }))

  it('[LOG6] waking reads at most 64 rows, and the same number with 63 commits behind as with 10,015', async () => {
    const reads: number[] = []
    for (const commits of [63, 10_015]) {
      await lendObject(({ sql, transaction }) => {
        transaction(() => {
          grow(new SessionStore(sql), commits)
          new SessionStore(sql).partial.save(partialOf(commits, 'so far'))
        })
        const woken = new SessionStore(sql)
        reads.push(cost(woken, () => wake(woken)).read)
      })
    }
    expect(reads[0]).toBeLessThanOrEqual(64)
    expect(reads[0]).toBeGreaterThanOrEqual(31 + 3)
    expect(reads[1]).toBe(reads[0])
  })

  it('[LOG4] reading a page costs the rows of its commits, forwards and by seq; backwards one more to find the edge', () =>
    lendObject((database) => {
      const store = grown(database, 500)
      expect(cost(store, () => store.log.after(100, { commits: 50 }))).toEqual({ read: 50, written: 0 })
      expect(cost(store, () => store.log.before(400, { commits: 50 }))).toEqual({ read: 51, written: 0 })
      expect(cost(store, () => store.log.at(250))).toEqual({ read: 1, written: 0 })
      expect(cost(store, () => store.snapshots.atOrBefore(250))).toEqual({ read: 1, written: 0 })
    }))

  it('[LOG5] every read of an object that was never written writes no row', () =>
    lendObject(({ sql }) => {
      const store = new SessionStore(sql)
      expect(store.exists() || store.erasedAt()).toBeNull()
      wake(store)
      expect(store.rowsWritten).toBe(0)
      expect(sql.exec("SELECT name FROM sqlite_master WHERE name IN ('log', 'slots')").rows).toEqual([])
    }))

  it('[ERA1] erasing writes three rows, however long the session was', async () => {
    for (const commits of [1, 2_000]) {
      await lendObject((database) => {
        const store = grown(database, commits)
        expect(cost(store, () => store.erase({ at: 1 })).written).toBe(3)
      })
    }
  })
})
