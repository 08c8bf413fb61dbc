/** Outputs too large for the log: kept whole under the seq of their message, on any SQLite. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PIECES_PER_COMMIT, slotId } from '../../src/storage/row-ids.ts'
import { SessionStore } from '../../src/storage/session-store.ts'
import { limits } from '../../src/protocol/limits.ts'
import { VersionTooNewError } from '../../src/storage/formats.ts'
import type { LendDatabase } from './contract.ts'
import { commitOf } from './samples.ts'

const megabyte = 1024 * 1024

const output = fc
  .tuple(fc.constantFrom('x', 'ü', '漢', '🐭'), fc.constantFrom(0, 1, 70_000, megabyte, megabyte + 1, 2.5 * megabyte), fc.nat(3))
  .map(([character, bytes, more]) => 'y'.repeat(more) + character.repeat(bytes / new TextEncoder().encode(character).length))

export function outputContract(name: string, lend: LendDatabase): void {
  describe(name, () => {
    it('[TOOL3] outputs of any sizes read back whole, each by its own seq, and by no other', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(output, { minLength: 1, maxLength: 4 }), (texts) =>
          lend(({ sql, transaction }) => {
            const store = new SessionStore(sql)
            for (const [index, text] of texts.entries()) transaction(() => store.outputs.save(2 * index + 1, text))
            const { outputs } = new SessionStore(sql)
            // Not `toEqual`: a difference in megabytes of text takes minutes to print.
            expect(texts.map((text, index) => outputs.at(2 * index + 1) === text)).toEqual(texts.map(() => true))
            expect(texts.map((_, index) => outputs.at(2 * index + 2))).toEqual(texts.map(() => null))
          }),
        ),
        { numRuns: 15 },
      )
    })

    it('[LOG4] an output takes one row for each MiB begun, and its rows are where its seq says', () =>
      lend(({ sql }) => {
        const { outputs } = new SessionStore(sql)
        expect(outputs.save(7, 'x'.repeat(megabyte))).toBe(1)
        expect(outputs.save(8, 'x'.repeat(megabyte + 1))).toBe(2)
        const rows = sql.exec('SELECT kind, seq, pieces FROM slots ORDER BY id').rows.map((row) => Object.values(row))
        expect(rows).toEqual([
          ['output', 7 * PIECES_PER_COMMIT, 1],
          ['output', 8 * PIECES_PER_COMMIT, 2],
          ['output', 8 * PIECES_PER_COMMIT + 1, 2],
        ])
        expect(limits.outputBytes / megabyte).toBeLessThan(PIECES_PER_COMMIT)
      }))

    it('[LOG2] an output whose message is rolled back is not there', () =>
      lend(({ sql, transaction }) => {
        const store = new SessionStore(sql)
        transaction(() => store.append(commitOf(1, ['one'])))
        const failing = () => {
          store.outputs.save(2, 'x'.repeat(2 * megabyte))
          throw new Error('the alarm could not be set')
        }
        expect(() => transaction(failing)).toThrow('the alarm')
        expect(store.outputs.at(2)).toBeNull()
      }))

    it('[LOG7] an output that newer code has stored is refused, not guessed at', () =>
      lend(({ sql }) => {
        const { outputs } = new SessionStore(sql)
        outputs.save(1, 'words')
        sql.exec('UPDATE slots SET version = 2 WHERE id = ?', slotId('output', PIECES_PER_COMMIT))
        expect(() => outputs.at(1)).toThrow(VersionTooNewError)
      }))

    it('[ERA1] an erased session has no output any more', () =>
      lend(({ sql, transaction }) => {
        const store = new SessionStore(sql)
        store.append(commitOf(1, ['one']))
        store.outputs.save(1, 'secret words')
        transaction(() => store.erase({ at: 5_000 }))
        expect(new SessionStore(sql).outputs.at(1)).toBeNull()
        expect(JSON.stringify(sql.exec('SELECT body FROM slots').rows)).not.toContain('secret')
        expect(() => store.outputs.save(1, 'back again')).toThrow(/erased/)
      }))
  })
}
