/** Where rows stand on any SQLite, by what reads find them, and the newest commit in memory, which is found without a read. */
import { describe, expect, it } from 'vitest'
import type { Commit } from '../../src/protocol/commit.ts'
import { logId, PIECES_PER_COMMIT, SEQS_PER_KIND, slotId } from '../../src/storage/row-ids.ts'
import { SessionStore } from '../../src/storage/session-store.ts'
import type { Sql, SqlResult } from '../../src/storage/sql.ts'
import type { LendDatabase } from './contract.ts'
import { commitOf, partialOf, stateAt } from './samples.ts'

const megabyte = 1024 * 1024

export function rowContract(name: string, lend: LendDatabase): void {
  describe(name, () => {
    rowIds(lend)
    newestCommit(lend)
  })
}

function rowIds(lend: LendDatabase): void {
  it('[LOG4] every read is a range of the primary key, in its order: no table is scanned and nothing is sorted', () =>
    lend((database) => {
      const { sql, statements } = recorded(database.sql)
      const store = new SessionStore(sql)
      for (const commit of [commitOf(1, ['one']), commitOf(2, ['x'.repeat(17 * megabyte)]), commitOf(3, ['three'])]) store.append(commit)
      store.snapshots.save({ seq: 3, state: stateAt(3) })
      store.snapshots.saveWindow({ seq: 3, commands: [] })
      store.partial.save(partialOf(3, 'x'.repeat(2 * megabyte)))
      statements.length = 0
      const { log, snapshots, partial } = new SessionStore(sql)
      for (const read of [() => log.after(0), () => log.before(3), () => log.before(null), () => log.at(2)]) read()
      for (const read of [() => snapshots.newest(), () => snapshots.atOrAfter(2), () => snapshots.window(), () => partial.load()]) read()
      store.erase({ at: 5_000 })
      store.erasedAt()
      const reads = statements.filter(({ statement }) => /^SELECT .* FROM (log|slots)\b/.test(statement))
      const plans = reads.map((read) => read.plan)
      expect(new Set(reads.map(({ statement }) => statement)).size).toBe(8)
      expect(plans.filter((plan) => !/^SEARCH (log|slots) USING INTEGER PRIMARY KEY \(rowid[=<>?A-Z ]+\)$/i.test(plan))).toEqual([])
    }))

  it('[LOG4] a person with a SQLite shell reads what a row is', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      store.append(commitOf(1, ['one']))
      store.append(commitOf(2, ['two', 'x'.repeat(megabyte)]))
      store.snapshots.save({ seq: 3, state: stateAt(3) })
      store.snapshots.saveWindow({ seq: 3, commands: [] })
      store.partial.save(partialOf(3, 'x'.repeat(megabyte)))
      const log = sql.exec('SELECT last_seq, piece, pieces FROM log ORDER BY id').rows.map((row) => Object.values(row))
      expect(log).toEqual([
        [1, 0, 1],
        [3, 0, 2],
        [3, 1, 2],
      ])
      const slotted = sql.exec('SELECT kind, seq FROM slots ORDER BY id').rows.map((row) => Object.values(row))
      expect(slotted).toEqual([
        ['idempotency', 0],
        ['partial', 0],
        ['partial', 1],
        ['snapshot', 3],
      ])
    }))

  it('[LOG1] the highest places hold and are found; a row beyond is refused, and a read beyond finds nothing', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      const [lastCommit, lastSnapshot] = [2 ** 43 - 1, SEQS_PER_KIND - 1]
      store.append(commitOf(lastCommit - 1, ['near', 'x'.repeat(2.5 * megabyte)]))
      store.snapshots.save({ seq: lastSnapshot, state: stateAt(lastSnapshot) })
      store.partial.save(partialOf(1, 'so far'))
      expect(store.log.at(lastCommit)?.events.map(({ seq }) => seq)).toEqual([lastCommit - 1, lastCommit])
      expect(store.log.before(null).commits.length).toBe(1)
      expect(store.snapshots.newest()?.seq).toBe(lastSnapshot)
      const beyond = [lastCommit + 1, SEQS_PER_KIND + 1, 2 ** 50, Number.MAX_SAFE_INTEGER, Infinity]
      for (const seq of beyond) expect([store.log.at(seq), store.log.after(seq - 1).commits]).toEqual([null, []])
      expect(beyond.slice(1).map((seq) => store.snapshots.atOrAfter(seq))).toEqual([null, null, null, null])
      // Rows of a kind below, and of the kind above the window's, are not taken for its own.
      expect([store.snapshots.atOrAfter(-Infinity)?.seq, store.snapshots.window()]).toEqual([lastSnapshot, null])
      expect([store.snapshots.atOrBefore(-1), store.snapshots.atOrBefore(lastSnapshot - 1)]).toEqual([null, null])
      expect(() => store.append(commitOf(lastCommit + 1, ['beyond']))).toThrow(/No row/)
      expect(() => store.snapshots.save({ seq: lastSnapshot + 1, state: stateAt(1) })).toThrow(/No row/)
      expect(() => logId(1, PIECES_PER_COMMIT)).toThrow(/No row/)
      expect(Math.max(logId(lastCommit, PIECES_PER_COMMIT - 1), slotId('snapshot', lastSnapshot))).toBe(Number.MAX_SAFE_INTEGER)
    }))
}

function newestCommit(lend: LendDatabase): void {
  it('[LOG4] the commit that was remembered is found by any of its seqs as the very same object, without a statement', () =>
    lend((database) => {
      const { sql, statements } = recorded(database.sql)
      const [store, reader] = [new SessionStore(sql), new SessionStore(sql)]
      const commit = commitOf(2, ['two', 'three'])
      store.append(commitOf(1, ['one']))
      store.append(commit)
      expect(store.log.at(2)).not.toBe(commit)
      for (const each of [store, reader]) each.remember(commit)
      statements.length = 0
      for (const seq of [2, 3]) expect([store.log.at(seq), reader.log.at(seq)].map((found) => found === commit)).toEqual([true, true])
      expect(statements).toEqual([])
      expect([store.log.at(1), store.log.at(4)]).toEqual([commitOf(1, ['one']), null])
    }))

  it('[LOG4] a commit is remembered below 64 KiB of JSON; a larger one takes the place of the one before all the same', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      const frameBytes = JSON.stringify(commitOf(1, [''])).length
      const room = 64 * 1024 - frameBytes
      const texts = ['a'.repeat(room - 1), 'a'.repeat(room), 'ü'.repeat(room / 2 + 1), 'a'.repeat(2 * megabyte), 'a']
      let before: Commit | null = null
      const kept = texts.map((words, index) => {
        const commit = commitOf(index + 1, [words])
        store.append(commit)
        store.remember(commit)
        const found = store.log.at(index + 1)
        expect(index > 0 && store.log.at(index) === before).toBe(false)
        before = commit
        expect(JSON.stringify(found) === JSON.stringify(commit)).toBe(true)
        return found === commit
      })
      expect(kept).toEqual([true, false, false, false, true])
    }))

  it('[LOG2] a commit that was rolled back is nowhere: appending alone remembers nothing', () =>
    lend(({ sql, transaction }) => {
      const store = new SessionStore(sql)
      const first = commitOf(1, ['one'])
      transaction(() => store.append(first))
      store.remember(first)
      const failing = () => {
        store.append(commitOf(2, ['lost']))
        throw new Error('the alarm could not be set')
      }
      expect(() => transaction(failing)).toThrow('the alarm')
      expect(store.log.at(2)).toBeNull()
      expect(store.log.at(1)).toBe(first)
    }))

  it('[ERA1] erasing drops the remembered commit too', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql)
      const commit = commitOf(1, ['secret words'])
      store.append(commit)
      store.remember(commit)
      store.erase({ at: 5_000 })
      expect(store.log.at(1)).toBeNull()
    }))
}

/** The same database, and what was asked of it, with SQLite's plan of every SELECT. */
function recorded(sql: Sql): { sql: Sql; statements: { statement: string; plan: string }[] } {
  const statements: { statement: string; plan: string }[] = []
  const exec: Sql['exec'] = (statement, ...bindings): SqlResult => {
    const steps = statement.startsWith('SELECT') ? sql.exec(`EXPLAIN QUERY PLAN ${statement}`, ...bindings).rows : []
    statements.push({ statement, plan: steps.map((step) => String(step.detail)).join('; ') })
    return sql.exec(statement, ...bindings)
  }
  return { sql: { exec }, statements }
}
