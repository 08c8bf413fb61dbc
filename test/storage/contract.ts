/**
 * What storage promises on any SQLite below it: run on node:sqlite and inside an object. Sequences of commits come from
 * fast-check, which prints the seed and the smallest case of a failure.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lastSeqOf, type Commit } from '../../src/protocol/commit.ts'
import { MAX_BODY_BYTES } from '../../src/storage/pieces.ts'
import { SessionStore } from '../../src/storage/session-store.ts'
import type { Sql } from '../../src/storage/sql.ts'
import { commitOf, commitsOf, partialOf, stateAt } from './samples.ts'

export interface Database {
  sql: Sql
  transaction<T>(change: () => T): T
}

/** Lends an empty database of its own for the time of `use`. */
export type LendDatabase = (use: (database: Database) => void) => Promise<void>

const megabyte = 1024 * 1024

/** Short texts of any characters, lone surrogates too, and now and then one of up to two and a half pieces. */
const text = fc.oneof(
  { weight: 12, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom('\u0000', '\ud83d', 'a\udc00', '"\\', '\ufeff') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('x', 'ü', '漢', '🐭'), fc.integer({ min: megabyte / 8, max: 2.5 * megabyte }), fc.string({ maxLength: 3 }))
      .map(([character, bytes, head]) => head + character.repeat(bytes / new TextEncoder().encode(character).length)),
  },
)
const history = fc.array(fc.array(text, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 40 }).map(commitsOf)

const bounds = fc.record({
  commits: fc.integer({ min: 1, max: 50 }),
  bytes: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 4 * megabyte })),
})

export function storageContract(name: string, lend: LendDatabase): void {
  describe(name, () => {
    readingAndWriting(lend)
    slots(lend)
    absenceAndErasure(lend)
  })
}

function readingAndWriting(lend: LendDatabase): void {
  it('[LOG4] any commits of any sizes read back equal, from any seq, in both directions, in pages of any bounds', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), bounds, (commits, anySeq, bound) =>
        lend(({ sql, transaction }) => {
          const store = new SessionStore(sql)
          for (const commit of commits) transaction(() => store.append(commit))
          const seq = anySeq % (headOf(commits) + 2)
          const after = commits.filter((commit) => lastSeqOf(commit) > seq)
          const before = commits.filter((commit) => firstSeqOf(commit) < seq).toReversed()
          expectPage(store.log.after(seq, bound), after, bound)
          expectPage(store.log.before(seq, bound), before, bound)
          expectPage(store.log.before(null, bound), commits.toReversed(), bound)
          const holding = commits.find((commit) => firstSeqOf(commit) <= seq && seq <= lastSeqOf(commit))
          expect(store.log.at(seq)).toEqual(holding ?? null)
        }),
      ),
      { numRuns: 60 },
    )
  })

  it('[LOG4] pages that follow one another yield every commit once, in order, whatever the bounds', async () => {
    await fc.assert(
      fc.asyncProperty(history, bounds, (commits, bound) =>
        lend(({ sql }) => {
          const store = new SessionStore(sql)
          for (const commit of commits) store.append(commit)
          const read: Commit[] = []
          for (let ended = false; !ended;) {
            const page = store.log.after(headOf(read), bound)
            read.push(...page.commits)
            ended = page.ended
          }
          expect(read).toEqual(commits)
        }),
      ),
      { numRuns: 30 },
    )
  })

  it('[LOG4] a commit takes one row up to 1 MiB of stored JSON, and one more for each MiB begun', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      const frameBytes = JSON.stringify(commitOf(1, [''])).length
      expect(store.append(commitOf(1, ['a'.repeat(megabyte - frameBytes)]))).toBe(1)
      expect(store.append(commitOf(2, ['a'.repeat(megabyte - frameBytes + 1)]))).toBe(2)
      expect(store.append(commitOf(3, ['ü'.repeat(megabyte)]))).toBe(3)
      const [longest] = sql.exec('SELECT max(octet_length(body)) AS bytes FROM log').rows
      expect(longest?.bytes).toBe(megabyte)
    }))

  it('[LOG4] a commit of 21 pieces, more than one batch of rows, is whole whichever way it is met', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      const commits = [commitOf(1, ['first']), commitOf(2, ['large', '🐭'.repeat(5 * megabyte)]), commitOf(4, ['last'])]
      for (const commit of commits) store.append(commit)
      expect(sql.exec('SELECT count(*) AS pieces FROM log WHERE last_seq = 3').rows[0]?.pieces).toBe(21)
      const unbounded = { bytes: Infinity }
      expect(sameCommits(store.log.after(0, unbounded).commits, commits)).toBe(true)
      expect(sameCommits(store.log.before(null, unbounded).commits, commits.toReversed())).toBe(true)
      expect(sameCommits(store.log.before(3, unbounded).commits, [commits[1], commits[0]])).toBe(true)
    }))

  it('[LOG4] a page ends before the commit that would take it over 4 MiB', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      for (let seq = 1; seq <= 6; seq++) store.append(commitOf(seq, ['a'.repeat(0.9 * megabyte)]))
      const { commits, bytes, ended } = store.log.after(0)
      expect(commits.length).toBe(4)
      expect(bytes).toBeLessThanOrEqual(4 * megabyte)
      expect(ended).toBe(false)
    }))

  it('[LOG1] a commit without events, with a gap, or at a seq that is taken is refused and leaves no row', () =>
    lend(({ sql, transaction }) => {
      const store = new SessionStore(sql)
      store.append(commitOf(1, ['one', 'two']))
      const gap = { events: [...commitOf(3, ['three']).events, ...commitOf(5, ['five']).events] }
      for (const wrong of [{ events: [] }, gap, commitOf(2, ['again'])]) {
        expect(() => transaction(() => store.append(wrong))).toThrow()
      }
      expect(store.log.after(0).commits).toEqual([commitOf(1, ['one', 'two'])])
    }))

  it('[TRN6] what the repeat of a command must be told is stored with its commit', () =>
    lend(({ sql }) => {
      const commit = { ...commitOf(1, ['hello']), command: { key: 'k', fingerprint: 'f', receipt: { seq: 1, turnId: 't' } } }
      new SessionStore(sql).append(commit)
      expect(new SessionStore(sql).log.at(1)).toEqual(commit)
    }))
}

function slots(lend: LendDatabase): void {
  it('[LOG6] snapshots are kept, and found by the seq they stand at, the nearest before and the nearest after', () =>
    lend(({ sql }) => {
      const { snapshots } = new SessionStore(sql)
      for (const seq of [64, 32, 96]) snapshots.save({ seq, state: stateAt(seq) })
      expect(snapshots.newest()).toEqual({ seq: 96, state: stateAt(96) })
      const at = [31, 32, 33, 64, 96, 97]
      expect(at.map((seq) => snapshots.atOrBefore(seq)?.seq ?? null)).toEqual([null, 32, 32, 64, 96, 96])
      expect(at.map((seq) => snapshots.atOrAfter(seq)?.seq ?? null)).toEqual([32, 32, 64, 64, 96, null])
    }))

  it('[LOG6] the idempotency window has one slot: a later one takes its place', () =>
    lend(({ sql }) => {
      const { snapshots } = new SessionStore(sql)
      const commands = [{ key: 'k', fingerprint: 'f', receipt: { seq: 7 } }]
      snapshots.saveWindow({ seq: 32, commands: [] })
      snapshots.saveWindow({ seq: 64, commands })
      expect(snapshots.window()).toEqual({ seq: 64, commands })
      expect(sql.exec('SELECT count(*) AS rows FROM slots').rows[0]?.rows).toBe(1)
    }))

  it('[ATT3] the partial text that was saved last is the one that loads, however its length changed', async () => {
    const lengths = fc.array(fc.constantFrom(0, 5, 700_000, 1_500_000, 3_000_000), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(lengths, fc.constantFrom('x', 'ü', '漢'), (units, character) =>
        lend(({ sql }) => {
          for (const [index, length] of units.entries()) {
            const partial = partialOf(index + 1, character.repeat(length / character.length))
            new SessionStore(sql).partial.save(partial)
            expect(new SessionStore(sql).partial.load()).toEqual(partial)
          }
        }),
      ),
      { numRuns: 15 },
    )
  })

  it('[LOG4] a slot above 1 MiB is refused, since production would refuse it and local SQLite would not', () =>
    lend(({ sql }) => {
      const { snapshots } = new SessionStore(sql)
      const state = { ...stateAt(1), title: 'ü'.repeat(MAX_BODY_BYTES / 2) }
      expect(() => snapshots.save({ seq: 1, state })).toThrow(/1048576 bytes/)
      expect(snapshots.newest()).toBeNull()
    }))
}

function absenceAndErasure(lend: LendDatabase): void {
  it('[LOG5] reading an object that was never written answers as empty and creates nothing', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      expect(store.exists()).toBe(false)
      expectEmpty(store)
      expect(store.erasedAt()).toBeNull()
      expect(tablesOf(sql)).toEqual([])
    }))

  it('[LOG5] a first commit that is rolled back leaves no session, and the next one makes it', () =>
    lend(({ sql, transaction }) => {
      const store = new SessionStore(sql)
      const failing = () => {
        store.append(commitOf(1, ['lost']))
        expect(store.exists()).toBe(true)
        throw new Error('the alarm could not be set')
      }
      expect(() => transaction(failing)).toThrow('the alarm')
      expect(store.exists()).toBe(false)
      transaction(() => store.append(commitOf(1, ['kept'])))
      expect(store.log.after(0).commits).toEqual([commitOf(1, ['kept'])])
    }))

  it('[ERA1] erasing leaves the marker alone; nothing can be written or read again', () =>
    lend(({ sql, transaction }) => {
      const store = new SessionStore(sql)
      store.append(commitOf(1, ['secret words']))
      store.snapshots.save({ seq: 1, state: stateAt(1) })
      store.partial.save(partialOf(1, 'secret words'))
      store.outputs.save(1, 'secret words')
      expect(store.exists()).toBe(true)
      transaction(() => store.erase({ at: 5_000 }))
      for (const erased of [store, new SessionStore(sql)]) {
        expect(erased.exists()).toBe(false)
        expect(erased.erasedAt()).toBe(5_000)
        expectEmpty(erased)
        expect(() => erased.append(commitOf(2, ['back again']))).toThrow(/erased/)
        expect(() => erased.snapshots.save({ seq: 1, state: stateAt(1) })).toThrow(/erased/)
        expect(() => erased.partial.save(partialOf(1, 'back again'))).toThrow(/erased/)
        expect(() => erased.outputs.save(1, 'back again')).toThrow(/erased/)
      }
      expect(tablesOf(sql)).toEqual(['slots'])
      expect(sql.exec('SELECT kind, body FROM slots').rows).toEqual([{ kind: 'erased', body: '{"at":5000}' }])
    }))

  it('[ERA1] erasing twice keeps the first marker, and an erasure that is rolled back erased nothing', () =>
    lend(({ sql, transaction }) => {
      const store = new SessionStore(sql)
      store.append(commitOf(1, ['kept']))
      const failing = () => {
        store.erase({ at: 4_000 })
        throw new Error('the alarm could not be set')
      }
      expect(() => transaction(failing)).toThrow('the alarm')
      expect(store.erasedAt()).toBeNull()
      expect(store.log.at(1)).toEqual(commitOf(1, ['kept']))
      store.erase({ at: 5_000 })
      store.erase({ at: 6_000 })
      expect(store.erasedAt()).toBe(5_000)
    }))
}

function expectPage(
  page: { commits: Commit[]; bytes: number; ended: boolean },
  all: Commit[],
  bound: { commits: number; bytes: number },
): void {
  const { commits } = page
  expect(sameCommits(commits, all.slice(0, commits.length))).toBe(true)
  expect(page.bytes).toBe(sizeOf(commits))
  expect(commits.length).toBeLessThanOrEqual(bound.commits)
  if (commits.length > 1) expect(page.bytes).toBeLessThanOrEqual(bound.bytes)
  const next = all[commits.length]
  if (page.ended) expect(next).toBeUndefined()
  else if (next && commits.length < bound.commits) expect(sizeOf([...commits, next])).toBeGreaterThan(bound.bytes)
  if (all.length > 0) expect(commits.length).toBeGreaterThan(0)
}

function expectEmpty({ log, snapshots, partial, outputs }: SessionStore): void {
  expect(log.after(0)).toEqual({ commits: [], bytes: 0, ended: true })
  expect(log.before(null)).toEqual({ commits: [], bytes: 0, ended: true })
  const found = [log.at(1), snapshots.newest(), snapshots.atOrAfter(0), snapshots.window(), partial.load(), outputs.at(1)]
  expect(found.filter((each) => each !== null)).toEqual([])
}

export function tablesOf(sql: Sql): unknown[] {
  return sql
    .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name")
    .rows.map((row) => row.name)
}

/** Not `toEqual`: a difference in megabytes of text takes minutes to print. */
function sameCommits(read: (Commit | undefined)[], written: (Commit | undefined)[]): boolean {
  return JSON.stringify(read) === JSON.stringify(written)
}

function sizeOf(commits: Commit[]): number {
  return commits.reduce((sum, commit) => sum + new TextEncoder().encode(JSON.stringify(commit)).length, 0)
}

function firstSeqOf(commit: Commit): number {
  return commit.events[0]?.seq ?? 0
}

function headOf(commits: Commit[]): number {
  const last = commits.at(-1)
  return last ? lastSeqOf(last) : 0
}
