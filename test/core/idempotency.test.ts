/** The idempotency window: what a repeated command is told, and for how long. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Commit, RememberedCommand } from '../../src/protocol/commit.ts'
import { recall, remember } from '../../src/core/idempotency.ts'
import type { IdempotencyWindow } from '../../src/core/state.ts'
import { limits } from '../../src/protocol/limits.ts'

const commands = fc.array(fc.record({ key: fc.integer({ min: 0, max: 400 }), fingerprint: fc.constantFrom('red', 'blue') }), {
  maxLength: 700,
  size: 'max',
})

describe('a repeated command', () => {
  test('[TRN6] same key and command: the same receipt; other command: a conflict; forgotten after 256 others, not before', () => {
    fc.assert(
      fc.property(commands, (asked) => {
        let window: IdempotencyWindow = []
        const told = new Reference()
        for (const [index, { key, fingerprint }] of asked.entries()) {
          const command = { key: `key ${key}`, fingerprint, receipt: { seq: index + 1, turnId: `turn ${index}` } }
          const answer = recall(window, command.key, fingerprint)
          expect(answer.ok ? answer.value : answer.error.code).toEqual(told.answer(command))
          if (answer.ok && answer.value === null) window = remember(window, commitOf(command))
        }
        expect(window.length).toBeLessThanOrEqual(limits.idempotentCommands)
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN6] the 256th newest command is still known, the 257th is not', () => {
    let window: IdempotencyWindow = []
    for (let seq = 1; seq <= 257; seq++) window = remember(window, commitOf({ key: `${seq}`, fingerprint: 'same', receipt: { seq } }))
    expect(recall(window, '2', 'same')).toEqual({ ok: true, value: { seq: 2 } })
    expect(recall(window, '2', 'other')).toMatchObject({ ok: false, error: { code: 'idempotency_conflict', retryable: false } })
    expect(recall(window, '1', 'other')).toEqual({ ok: true, value: null })
  })

  test('[TRN6] a commit without a key leaves the window as it was, and remembering changes no earlier window', () => {
    const first = remember([], commitOf({ key: 'a', fingerprint: 'red', receipt: { seq: 1 } }))
    Object.freeze(first)
    expect(remember(first, { events: [] })).toBe(first)
    expect(remember(first, commitOf({ key: 'b', fingerprint: 'red', receipt: { seq: 2 } }))).toHaveLength(2)
    expect(first).toHaveLength(1)
  })
})

/** The rule in its plainest form: a list of everything, of which the newest 256 count. */
class Reference {
  readonly #all: RememberedCommand[] = []

  answer(command: RememberedCommand) {
    const known = this.#all.slice(-256).find(({ key }) => key === command.key)
    if (known) return known.fingerprint === command.fingerprint ? known.receipt : 'idempotency_conflict'
    this.#all.push(command)
    return null
  }
}

function commitOf(command: RememberedCommand): Commit {
  return { events: [], command }
}
