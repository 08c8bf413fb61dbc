/** Rules of the log: gapless seqs, a state that is the fold of its events, and one that stays small. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { foldCommit, reduce } from '../../src/core/reduce.ts'
import { maxContextSpans } from '../../src/core/context-window.ts'
import type { SessionState } from '../../src/core/state.ts'
import { EventSchema, type Event } from '../../src/protocol/event.ts'
import { limits } from '../../src/protocol/limits.ts'
import { parseWith } from '../../src/protocol/json.ts'
import { BODY_MARK, longMoves, moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { ada, asStored, newSession, SessionDriver, type Outcome } from './session-driver.ts'

/** Far below one row, whatever the history: settings, tags, queue and context at their worst together are under 64 KiB. */
const maxStateCharacters = 64 * 1024
/** Profile and totals of an idle session of these histories. */
const maxIdleCharacters = 1000

describe('seqs and times', () => {
  test('[LOG1] seqs are 1, 2, 3 … without a gap, also across refusals', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG1] every event of a commit happened at max(now, last at), so that `at` never goes backwards', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { history: outcomes } = sessionAfter(history)
        const accepted = outcomes.filter(({ events }) => events.length > 0)
        expect(accepted.map(timesOf)).toEqual(
          accepted.map(({ events, now, before }) => events.map(() => Math.max(now, before?.lastAt ?? 0))),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG1] the head is the seq of the newest event, and a receipt never names a later one', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { history: outcomes } = sessionAfter(history)
        const heads = outcomes.map(({ events, before }) => events.at(-1)?.seq ?? before?.head ?? 0)
        expect(outcomes.map(({ after }) => after?.head)).toEqual(heads)
        expect(outcomes.filter(({ decision }, index) => decision.ok && decision.receipt.seq > (heads[index] ?? 0))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

describe('state is the fold of the events', () => {
  test('[LOG3] from any snapshot on, the stored rest of the log gives the very same state', () => {
    fc.assert(
      fc.property(moves, fc.nat(), (history, pick) => {
        const { commits, history: outcomes, state } = sessionAfter(history)
        const accepted = outcomes.filter(({ events }) => events.length > 0)
        const at = pick % (commits.length + 1)
        let folded: SessionState | null = at === 0 ? null : asStored(accepted[at - 1]?.after ?? null)
        for (const commit of commits.slice(at)) folded = foldCommit(folded, asStored(commit))
        expect(folded).toStrictEqual(state)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG3] event by event or commit by commit, and through JSON at every step, nothing differs', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events, state } = sessionAfter(history)
        let folded: SessionState | null = null
        for (const event of events) folded = asStored(reduce(folded, event))
        expect({ ...folded, creationFingerprint: 'print' }).toStrictEqual(state)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG3] events are what the wire schema says they are', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        const parsed = events.map((event) => parseWith(EventSchema, asStored(event)))
        expect(parsed).toStrictEqual(events.map((event) => ({ ok: true, value: event })))
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG3] decide changes nothing it looks at, and the same question gets the same answer', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { history: outcomes } = sessionAfter(history)
        const copies = structuredClone(outcomes.map(({ before }) => before))
        // Whatever is changed in place throws: the driver froze it.
        expect(outcomes.map(({ before, command, now }) => decide(before, command, now))).toStrictEqual(
          outcomes.map(({ decision }) => decision),
        )
        expect(outcomes.map(({ before }) => before)).toStrictEqual(copies)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG3] the creation keeps the fingerprint of its command, and only the creation does', () => {
    const driver = new SessionDriver()
    const { events } = driver.perform(driver.create())
    expect(foldCommit(null, { events }).creationFingerprint).toBeNull()
    const created = foldCommit(null, { events, command: { key: 'a', fingerprint: 'first', receipt: { seq: 1 } } })
    const touched: Event[] = [{ type: 'tokens.revoked', seq: 2, at: 1, by: ada }]
    const later = foldCommit(created, { events: touched, command: { key: 'b', fingerprint: 'second', receipt: { seq: 2 } } })
    expect(later.creationFingerprint).toBe('first')
  })

  test('[LOG3] a log that does not begin with a creation is a bug, not a state', () => {
    expect(() => reduce(null, { type: 'tokens.revoked', seq: 1, at: 1 })).toThrow('session.created')
  })
})

describe('state is small', () => {
  test('[LOG6] spans, queue and the whole state stay bounded whatever the history', () => {
    fc.assert(
      fc.property(longMoves, (history) => {
        const states = sessionAfter(history, 100_000).history.flatMap(({ after }) => after ?? [])
        expect(Math.max(...states.map(({ context }) => context.spans.length))).toBeLessThanOrEqual(maxContextSpans)
        expect(Math.max(...states.map(({ queue }) => queue.length))).toBeLessThanOrEqual(limits.queuedTurns)
        // Each is a moment's walk: a few of them are enough.
        const some = states.filter((_, index) => index % 16 === 0)
        expect(Math.max(...some.map((state) => JSON.stringify(state).length))).toBeLessThan(maxStateCharacters)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] nothing but counts is left of hundreds of turns once they ended, the context aside', () => {
    fc.assert(
      fc.property(longMoves, (history) => {
        const driver = sessionAfter(history, 100_000)
        driver.drain()
        const { context, ...rest } = driver.state
        expect(JSON.stringify(rest).length).toBeLessThan(maxIdleCharacters)
        expect(Object.keys(context)).toEqual(['window', 'spans', 'omittedMessages'])
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] the state holds seqs, never bodies', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events, state } = sessionAfter(history)
        expect(JSON.stringify(state)).not.toContain(BODY_MARK)
        fc.pre(events.some((event) => event.type === 'turn.queued'))
        expect(JSON.stringify(events)).toContain(BODY_MARK)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] the worst state that the limits allow is under 64 KiB', () => {
    const driver = newSession(1_000_000)
    const name = 'n'.repeat(limits.nameCharacters)
    const by = { kind: 'key' as const, id: 'key_00000000000000000000000000', name }
    const tags = Array.from({ length: limits.tags }, (_, tag) => `${tag}`.padEnd(limits.tagCharacters, '"'))
    const allow = ['s'.repeat(limits.settingsBytes - 20)]
    driver.perform({
      type: 'updateSession',
      by,
      patch: { title: '"'.repeat(limits.titleCharacters), tags, settings: { allow } },
      window: null,
    })
    for (let turn = 0; turn < 2 * maxContextSpans; turn++) {
      driver.perform(driver.submit())
      driver.perform(driver.finishStep({}))
    }
    for (let turn = 0; turn <= limits.queuedTurns; turn++) {
      const own = { ...by, id: `key_${turn}`.padEnd(by.id.length, '0') }
      for (let part = 0; part < limits.amendments; part++) driver.perform(driver.submit({ by: own, whenBusy: 'collect' }))
    }
    // A turn in which as much waits as may: every call asks, every note is taken.
    const note = (index: number) => ({ key: `${index}`.padEnd(limits.noteKeyCharacters, '"'), text: 'x' })
    const notes = Array.from({ length: limits.notes }, (_, index) => note(index))
    driver.perform(driver.callTools([{ type: 'run', idempotent: false }]))
    driver.perform(driver.finishTool(0, { notes }))
    const ask = { type: 'ask', idempotent: false, inputHash: 'hash', expiresInMs: 1000 } as const
    const calls = Array.from({ length: limits.toolCallsPerStep }, () => ({ toolName: 'n'.repeat(64), input: {} }))
    driver.perform(
      driver.callTools(
        calls.map(() => ask),
        { parts: driver.callParts(calls) },
      ),
    )
    const { state } = driver
    expect([state.queue.length, state.context.spans.length]).toEqual([limits.queuedTurns, maxContextSpans])
    expect([state.notes.length, state.active?.calls.length]).toEqual([limits.notes, limits.toolCallsPerStep])
    expect(JSON.stringify(state).length).toBeLessThan(maxStateCharacters)
    expect(JSON.stringify(state).length).toBeGreaterThan(limits.settingsBytes)
  })
})

function timesOf({ events }: Outcome): number[] {
  return events.map((event) => event.at)
}
