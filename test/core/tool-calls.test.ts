/** Tool calls from the step that makes them to their results: what may run, what may run again, and what the model is told. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CallVerdict } from '../../src/core/command.ts'
import type { Event } from '../../src/protocol/event.ts'
import { outputSeqOf } from '../../src/protocol/ids.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { ToolResultPart } from '../../src/protocol/message.ts'
import { longMoves, moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { asStored, busySession, typesOf, type SessionDriver } from './session-driver.ts'

const run: CallVerdict = { type: 'run', idempotent: false }
const runAgain: CallVerdict = { type: 'run', idempotent: true }
const ask: CallVerdict = { type: 'ask', idempotent: false, inputHash: 'hash', expiresInMs: 1000 }
const refuse: CallVerdict = { type: 'refuse', message: 'There is no such tool.' }

/** What the log tells of one call: the seqs of everything that happened to it. */
interface Life {
  callSeq: number
  turnId: string
  starts: number[]
  results: { seq: number; part: ToolResultPart }[]
  asked: boolean
  /** When somebody allowed it. */
  allowedSeq: number | null
  refusedSeq: number | null
}

describe('every call', () => {
  test('[TOOL1] gets one result at most, after it was made and in its own turn', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        const lives = livesIn(events)
        for (const { results } of lives.values()) expect(results.length).toBeLessThanOrEqual(1)
        for (const event of events) {
          for (const part of resultsOf(event)) {
            const life = lives.get(part.toolCallId)
            expect([life?.turnId, (life?.callSeq ?? Infinity) < event.seq]).toEqual(['turnId' in event && event.turnId, true])
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TOOL1] has its result when the next step is made, whatever became of it', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        const steps = events.filter((event) => event.type === 'message.completed' && event.message.role === 'assistant')
        for (const { callSeq, turnId, results } of livesIn(events).values()) {
          const next = steps.find((event) => event.seq > callSeq && 'turnId' in event && event.turnId === turnId)
          if (next) expect(results[0]?.seq).toBeLessThan(next.seq)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TOOL1] is started before what it answers is stored; one that never started gets an error in words', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const lives = livesIn(driver.events)
        for (const { starts, results } of lives.values()) {
          if (starts.length > 0) expect(results.every(({ seq }) => seq > (starts.at(-1) ?? 0))).toBe(true)
          else for (const { part } of results) expect([part.isError, typeof part.output]).toEqual([true, 'string'])
        }
        const finished = driver.history.flatMap(({ command, decision }) =>
          command.type === 'finishTool' && decision.ok ? [command.toolCallId] : [],
        )
        expect(finished.filter((id) => lives.get(id)?.starts.length === 0)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('[APR5] that somebody is asked about starts only behind an allow, and a refusal is final', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { asked, allowedSeq, refusedSeq, starts } of livesIn(sessionAfter(history).events).values()) {
          if (asked) expect(starts.every((seq) => allowedSeq !== null && seq > allowedSeq)).toBe(true)
          if (refusedSeq !== null) expect(starts).toEqual([])
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TOOL2] that is not idempotent is started once, whatever dies', () => {
    fc.assert(
      fc.property(longMoves, (history) => {
        const starts = sessionAfter(history, 100_000).eventsOf('tool.started')
        const once = starts.filter(({ idempotent }) => !idempotent).map(({ toolCallId }) => toolCallId)
        expect(new Set(once).size).toBe(once.length)
      }),
      { numRuns: 100 },
    )
  })

  test('[TOOL2] that ran when its object died is started again under the same id, or its outcome is unknown', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, decision, before, events } of sessionAfter(history).history) {
          if (command.type !== 'recoverTurn' || !decision.ok || before?.active?.recovery !== 'resume') continue
          if (events[0]?.type !== 'turn.resumed') continue
          const running = before.active.calls.filter(({ status }) => status === 'started')
          const again = events.flatMap((event) => (event.type === 'tool.started' ? [event.toolCallId] : []))
          const unknown = events.flatMap(resultsOf)
          expect(again).toEqual(running.filter(({ idempotent }) => idempotent).map(({ toolCallId }) => toolCallId))
          expect(unknown.map(({ toolCallId }) => toolCallId)).toEqual(
            running.filter(({ idempotent }) => !idempotent).map(({ toolCallId }) => toolCallId),
          )
          for (const { isError, output } of unknown) expect([isError, output]).toEqual([true, expect.stringContaining('unknown')])
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] is held in the state until its result, and never more than an answer may make', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { after } of sessionAfter(history).history) {
          expect(after?.active?.calls.length ?? 0).toBeLessThanOrEqual(limits.toolCallsPerStep)
          expect(after?.notes.length ?? 0).toBeLessThanOrEqual(limits.notes)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('a step with calls', () => {
  test('[TOOL1] commits its message first, then what becomes of each call, in their order', () => {
    const driver = busySession()
    const { events } = driver.perform(driver.callTools([run, ask, refuse, runAgain]))
    expect(events).toMatchObject([
      { type: 'message.completed', message: { role: 'assistant', finishReason: 'tool-calls' } },
      { type: 'tool.started', toolName: 'tool0', idempotent: false },
      { type: 'approval.requested', approval: { toolName: 'tool1', input: { index: 1 }, inputHash: 'hash', status: 'pending' } },
      {
        type: 'message.completed',
        message: { role: 'tool', parts: [{ toolName: 'tool2', output: 'There is no such tool.', isError: true }] },
      },
      { type: 'tool.started', toolName: 'tool3', idempotent: true },
    ])
    expect(driver.state.active?.calls.map(({ status }) => status)).toEqual(['started', 'asked', 'started'])
  })

  test('[TOOL1] goes on with the next step when every call was refused', () => {
    const driver = busySession()
    driver.perform(driver.callTools([refuse, refuse]))
    expect(driver.state.active).toMatchObject({ status: 'running', calls: [], steps: 1 })
    expect(typesOf(driver.perform(driver.finishStep()))).toEqual(['message.completed', 'turn.completed'])
  })

  test('[TRN5] is not over while a call has no result: nobody may speak', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run]))
    const { state } = driver
    for (const command of [driver.finishStep(), driver.retry()]) {
      expect(driver.perform(command).decision).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
    }
    expect(driver.state).toBe(state)
  })

  test('[TOOL1] takes the end of a call once, from the generation that runs it, and of no other call', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run, run]))
    const first = driver.finishTool(0)
    for (const wrong of [
      { ...first, generation: first.generation - 1 },
      { ...first, toolCallId: 'call_other' },
    ]) {
      expect(driver.perform(wrong).decision).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
    }
    expect(driver.perform(first).decision.ok).toBe(true)
    expect(driver.perform(first).decision).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
    driver.perform(driver.finishTool(0))
    expect(driver.state.active).toMatchObject({ status: 'running', calls: [] })
  })

  test('[TOOL3] a large output stands as a preview, with the ref of the whole and its size', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run]))
    const { events } = driver.perform(driver.finishTool(0, { output: 'The first words', bytes: 100_000 }))
    const [result] = events.flatMap(resultsOf)
    expect(result).toMatchObject({ output: 'The first words', bytes: 100_000, isError: false })
    expect(outputSeqOf(result?.outputRef ?? '')).toBe(events[0]?.seq)
  })
})

describe('recovery', () => {
  test('[TOOL2] starts what may run twice again, tells of what may not, and goes on waiting for people', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run, runAgain, ask]))
    const { events } = driver.perform(driver.recover())
    expect(events).toMatchObject([
      { type: 'turn.resumed', reason: 'recovery', attempt: 2 },
      { type: 'message.completed', message: { parts: [{ toolName: 'tool0', isError: true, output: expect.stringContaining('unknown') }] } },
      { type: 'tool.started', toolName: 'tool1' },
    ])
    expect(events[0]).not.toHaveProperty('supersedes')
    expect(driver.state.active?.calls).toMatchObject([{ status: 'started' }, { status: 'asked' }])
    expect(typesOf(driver.perform(driver.finishTool(0)))).toEqual(['message.completed', 'turn.waiting'])
  })

  test('[TOOL2] a turn of which only a question is left waits again, in the commit of the recovery', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run, ask]))
    expect(typesOf(driver.perform(driver.recover()))).toEqual(['turn.resumed', 'message.completed', 'turn.waiting'])
  })

  test('[APR1] a turn that waits for a person is not recovered: nothing of it was cut', () => {
    const driver = busySession()
    driver.perform(driver.callTools([ask]))
    expect(driver.state.active?.status).toBe('waiting')
    expect(driver.perform(driver.recover()).decision).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
  })

  test('[TOOL2] an agent whose turns do not resume leaves its calls without a result', () => {
    const driver = busySession()
    driver.recovery = 'interrupt'
    driver.perform(driver.cancel(driver.state.active?.turnId ?? ''))
    driver.perform(driver.submit())
    driver.perform(driver.callTools([runAgain, ask]))
    expect(typesOf(driver.perform(driver.recover()))).toEqual(['approval.resolved', 'turn.interrupted'])
  })
})

describe('notes', () => {
  function noting(driver: SessionDriver, notes: { key: string; text: string | null }[]) {
    driver.perform(driver.callTools([run]))
    return driver.perform(driver.finishTool(0, { notes })).events
  }
  const keysOf = ({ state }: SessionDriver) => state.notes.map(({ key }) => key)

  test('[LOG3] are stored in the commit of the result, newest last; null forgets, and the words stay in the log', () => {
    const driver = busySession()
    const noted = noting(driver, [
      { key: 'name', text: 'Ada' },
      { key: 'place', text: 'London' },
    ])
    expect(typesOf({ events: noted })).toEqual(['note.written', 'note.written', 'message.completed'])
    noting(driver, [{ key: 'name', text: 'Ada Lovelace' }])
    expect(keysOf(driver)).toEqual(['place', 'name'])
    noting(driver, [{ key: 'place', text: null }])
    expect(keysOf(driver)).toEqual(['name'])
    const [note] = driver.state.notes
    expect(driver.events[(note?.seq ?? 0) - 1]).toMatchObject({ type: 'note.written', key: 'name', text: 'Ada Lovelace' })
  })

  test('[LOG6] are 64 at most, also when tools that run side by side all find room: the later one is told', () => {
    const driver = busySession()
    const keys = Array.from({ length: limits.notes - 1 }, (_, index) => `key ${index}`)
    noting(
      driver,
      keys.map((key) => ({ key, text: 'x' })),
    )
    driver.perform(driver.callTools([run, run]))
    driver.perform(driver.finishTool(0, { notes: [{ key: 'one more', text: 'x' }] }))
    const { events } = driver.perform(driver.finishTool(0, { notes: [{ key: 'and another', text: 'x' }], bytes: 70_000 }))
    expect(events).toHaveLength(1)
    expect(events.flatMap(resultsOf)).toMatchObject([{ isError: true, output: expect.stringContaining('64 notes at most') }])
    expect(events.flatMap(resultsOf)[0]).not.toHaveProperty('outputRef')
    expect(driver.state.notes).toHaveLength(limits.notes)
    noting(driver, [
      { key: 'one more', text: null },
      { key: 'and another', text: 'x' },
    ])
    expect(keysOf(driver).at(-1)).toBe('and another')
  })

  test.each([
    ['a key of 65 characters', { key: 'k'.repeat(limits.noteKeyCharacters + 1), text: 'x' }],
    ['a text of more than 2 KiB', { key: 'k', text: 'ü'.repeat(limits.noteBytes / 2) }],
  ])('[LOG6] with %s are not stored', (_what, note) => {
    const driver = busySession()
    expect(noting(driver, [note]).flatMap(resultsOf)).toMatchObject([
      { isError: true, output: expect.stringContaining('Nothing was noted') },
    ])
    expect(driver.state.notes).toEqual([])
  })

  test('[LOG3] survive the end of their turn, and are part of what a snapshot holds', () => {
    const driver = busySession()
    noting(driver, [{ key: 'name', text: 'Ada' }])
    driver.perform(driver.finishStep())
    expect(asStored(driver.state).notes).toEqual(driver.state.notes)
    expect(driver.state.notes).toHaveLength(1)
  })
})

function resultsOf(event: Event): ToolResultPart[] {
  return event.type === 'message.completed' ? event.message.parts.filter((part) => part.type === 'tool-result') : []
}

function livesIn(events: readonly Event[]): Map<string, Life> {
  const lives = new Map<string, Life>()
  for (const event of events) {
    if (event.type === 'tool.started') lives.get(event.toolCallId)?.starts.push(event.seq)
    if (event.type === 'approval.requested' || event.type === 'approval.resolved')
      answer(lives.get(event.approval.toolCallId), event.approval.status, event.seq)
    for (const part of resultsOf(event)) lives.get(part.toolCallId)?.results.push({ seq: event.seq, part })
    if (event.type !== 'message.completed') continue
    for (const part of event.message.parts) {
      if (part.type !== 'tool-call') continue
      const { turnId, seq: callSeq } = event
      lives.set(part.toolCallId, { callSeq, turnId, starts: [], results: [], asked: false, allowedSeq: null, refusedSeq: null })
    }
  }
  return lives
}

function answer(life: Life | undefined, status: string, seq: number): void {
  if (!life) throw new Error('An approval is of no call')
  life.asked = true
  if (status === 'allowed') life.allowedSeq = seq
  else if (status !== 'pending') life.refusedSeq = seq
}
