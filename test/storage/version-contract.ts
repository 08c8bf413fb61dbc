/** Versions of what is stored: older rows are lifted as they are read, newer ones are refused, and the first still open. */
import { describe, expect, it } from 'vitest'
import { pendingEffects } from '../../src/core/pending-effects.ts'
import type { SessionState } from '../../src/core/state.ts'
import { formats, VersionTooNewError, type Upgrade } from '../../src/storage/formats.ts'
import { slotId } from '../../src/storage/row-ids.ts'
import { layoutSteps } from '../../src/storage/schema.ts'
import { SessionStore } from '../../src/storage/session-store.ts'
import type { Sql } from '../../src/storage/sql.ts'
import { tablesOf, type LendDatabase } from './contract.ts'
import { busySnapshot1, idleSnapshot1 } from './first-snapshots.ts'
import { commitOf, partialOf, stateAt } from './samples.ts'

export function versionContract(name: string, lend: LendDatabase): void {
  describe(name, () => {
    versions(lend)
    firstVersion(lend)
  })
}

function versions(lend: LendDatabase): void {
  const shout: Upgrade = (event) => ({ ...event, turnId: `${String(event.turnId)}!` })
  const entitle: Upgrade = (stored) => ({ ...stored, title: `${String(stored.title)}!` })
  const keep: Upgrade = (stored) => ({ ...stored })
  const older = { formats, layoutSteps }
  const newer = {
    formats: {
      event: [...formats.event, shout, shout],
      snapshot: [...formats.snapshot, entitle],
      idempotency: [...formats.idempotency, keep],
      partial: [...formats.partial, shout],
    },
    layoutSteps,
  }

  it('[LOG7] rows of older versions are upgraded on reading, event by event, and stay as they are', () =>
    lend(({ sql }) => {
      const old = new SessionStore(sql, older)
      old.append(commitOf(1, ['one', 'two']))
      old.snapshots.save({ seq: 2, state: stateAt(2) })
      old.partial.save(partialOf(2, 'so far'))
      const upgraded = new SessionStore(sql, newer)
      const turnIds = upgraded.log.at(1)?.events.map((event) => ('turnId' in event ? event.turnId.slice(-3) : null))
      expect(turnIds).toEqual(['A!!', 'A!!'])
      expect(upgraded.snapshots.newest()?.state.title).toBe('Grüße 🐭!')
      expect(upgraded.partial.load()?.turnId).toMatch(/A!$/)
      expect(old.log.at(1)).toEqual(commitOf(1, ['one', 'two']))
    }))

  it('[LOG7] rows of both versions stand side by side, each read as what it is', () =>
    lend(({ sql }) => {
      new SessionStore(sql, older).append(commitOf(1, ['old']))
      const store = new SessionStore(sql, newer)
      store.append(commitOf(2, ['new']))
      const endings = store.log.after(0).commits.map((commit) => JSON.stringify(commit).includes('!'))
      expect(endings).toEqual([true, false])
    }))

  it('[LOG7] older code that meets a newer row refuses with its own error, whatever the row', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql, newer)
      store.append(commitOf(1, ['one']))
      store.snapshots.save({ seq: 1, state: stateAt(1) })
      store.snapshots.saveWindow({ seq: 1, commands: [] })
      store.partial.save(partialOf(1, 'so far'))
      const { log, snapshots, partial } = new SessionStore(sql, older)
      const reads = [() => log.after(0), () => log.before(null), () => log.at(1), () => snapshots.newest()]
      for (const read of [...reads, () => snapshots.window(), () => partial.load()]) expect(read).toThrow(VersionTooNewError)
    }))

  it('[LOG7] the first write runs the missing layout steps once; reads before it change nothing', () =>
    lend(({ sql }) => {
      new SessionStore(sql, older).append(commitOf(1, ['one']))
      const steps = [['CREATE TABLE second (a INTEGER PRIMARY KEY)'], ['CREATE TABLE third (a INTEGER PRIMARY KEY)']]
      const store = new SessionStore(sql, { formats, layoutSteps: steps })
      expect(store.log.at(1)).toEqual(commitOf(1, ['one']))
      expect(tablesOf(sql)).toEqual(['log', 'slots'])
      store.append(commitOf(2, ['two']))
      store.append(commitOf(3, ['three']))
      expect(tablesOf(sql)).toEqual(['log', 'second', 'slots', 'third'])
      expect(new SessionStore(sql, { formats, layoutSteps: steps }).append(commitOf(4, ['four']))).toBe(1)
      expect(() => new SessionStore(sql, older).exists()).toThrow(VersionTooNewError)
      expect(() => new SessionStore(sql, older).append(commitOf(5, ['five']))).toThrow(VersionTooNewError)
    }))

  it('[LOG7] a new session gets the newest layout with its first commit', () =>
    lend(({ sql }) => {
      const store = new SessionStore(sql, { formats, layoutSteps: [['CREATE TABLE second (a INTEGER PRIMARY KEY)']] })
      store.append(commitOf(1, ['one']))
      expect(tablesOf(sql)).toEqual(['log', 'second', 'slots'])
      expect(store.append(commitOf(2, ['two']))).toBe(1)
    }))
}

/** Literal rows, for what today's code would write is not what was written. */
function firstVersion(lend: LendDatabase): void {
  function openFirst(sql: Sql, state: object): SessionState | undefined {
    const store = new SessionStore(sql)
    store.append(commitOf(1, ['one']))
    sql.exec('INSERT INTO slots (id, version, pieces, body) VALUES (?, 1, 1, ?)', slotId('snapshot', 40), JSON.stringify(state))
    return store.snapshots.newest()?.state
  }

  it('[LOG7] a snapshot of version 1 opens: nothing was noted, and no time and no rows were counted', () =>
    lend(({ sql }) => {
      const state = openFirst(sql, idleSnapshot1)
      expect(state).toEqual({
        ...idleSnapshot1,
        notes: [],
        usage: { ...idleSnapshot1.usage, activeMs: 0, storage: { rowsRead: 0, rowsWritten: 0 } },
      })
    }))

  it('[LOG7] a snapshot of version 1 with a running turn opens: the turn calls no tool, and is resumed if its object died', () =>
    lend(({ sql }) => {
      const state = openFirst(sql, busySnapshot1)
      const unknown = { recovery: 'resume', costBeforeWait: null, agentVersion: null, calls: [] }
      expect(state?.active).toEqual({ ...busySnapshot1.active, ...unknown })
      expect(state && pendingEffects(state)).toEqual([{ type: 'runStep', turnId: busySnapshot1.active.turnId, generation: 39, step: 2 }])
    }))

  it('[LOG7] a snapshot that is written today is of version 2, and reads back as it was', () =>
    lend(({ sql }) => {
      const { snapshots } = new SessionStore(sql)
      const state = { ...stateAt(7), notes: [{ key: 'name', seq: 5 }] }
      snapshots.save({ seq: 7, state })
      expect(snapshots.newest()).toEqual({ seq: 7, state })
      expect(sql.exec('SELECT version FROM slots').rows).toEqual([{ version: 2 }])
    }))
}
