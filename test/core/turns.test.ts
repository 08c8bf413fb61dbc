/** Rules of turns: one runs, the others wait in line, each ends exactly once, and only its own generation is heard. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { pendingEffects } from '../../src/core/pending-effects.ts'
import { isTerminal, type Event, type TerminalEvent } from '../../src/protocol/event.ts'
import { limits } from '../../src/protocol/limits.ts'
import { longMoves, moves } from './arbitraries.ts'
import { noCost, sessionAfter, type SessionDriver } from './session-driver.ts'

/** The line as the log alone tells it: which turn runs, and who waits, in the order in which they will start. */
interface Line {
  running: string | null
  waiting: string[]
}

describe('one turn at a time', () => {
  test('[TRN1] no turn starts before the one that runs has ended', () => {
    fc.assert(
      fc.property(moves, (history) => {
        let running: string | null = null
        for (const event of sessionAfter(history).events) {
          if (event.type === 'turn.started') {
            expect(running).toBeNull()
            running = event.turnId
          } else if (isTerminal(event) && event.turnId === running) running = null
          else if (event.type === 'message.completed' || event.type === 'turn.resumed') expect(event.turnId).toBe(running)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN1] the one effect is to run the active turn, as the generation that may speak; none while idle', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { state, events } = sessionAfter(history)
        const spokenFor = events.findLast((event) => event.type === 'turn.started' || event.type === 'turn.resumed')
        const isActive = spokenFor !== undefined && !events.some((event) => isTerminal(event) && event.turnId === spokenFor.turnId)
        const effects = isActive ? [{ type: 'runTurn', turnId: spokenFor.turnId, generation: spokenFor.seq }] : []
        expect(pendingEffects(state)).toEqual(effects)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the queue', () => {
  test('[TRN2] turns start in the order in which they were accepted; an interrupting one starts at once', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const lines = driver.history.map(({ after }) => ({
          running: after?.active?.turnId ?? null,
          waiting: after?.queue.map((turn) => turn.turnId),
        }))
        expect(lines).toEqual(playedLines(driver))
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN2] queue and steered inputs together never exceed the bound, and nobody waits while nothing runs', () => {
    fc.assert(
      fc.property(longMoves, (history) => {
        const states = sessionAfter(history).history.flatMap(({ after }) => after ?? [])
        const waiting = states.map(({ queue, active }) => queue.length + (active?.steers.length ?? 0))
        expect(Math.max(0, ...waiting)).toBeLessThanOrEqual(limits.queuedTurns)
        expect(states.filter(({ queue, active }) => queue.length > 0 && !active)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN2] each waiting turn can be withdrawn, and the others keep their places', () => {
    fc.assert(
      fc.property(moves, fc.nat(), (history, pick) => {
        const driver = sessionAfter(history)
        const { queue } = driver.state
        const turn = queue[pick % queue.length]
        fc.pre(turn !== undefined)
        const { events } = driver.perform(driver.cancel(turn.turnId))
        expect(events.map(({ type }) => type)).toEqual(['turn.cancelled'])
        expect(driver.state.queue).toEqual(queue.filter((other) => other !== turn))
      }),
      { numRuns: 300 },
    )
  })
})

describe('every turn ends once', () => {
  test('[TRN3] once drained, every accepted turn has exactly one terminal event and nothing is left', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        driver.drain()
        const accepted = driver.eventsOf('turn.queued').map((event) => event.turnId)
        const ended = driver.events.filter(isTerminal).map((event) => event.turnId)
        expect(ended.toSorted()).toEqual(accepted.toSorted())
        expect([driver.state.active, driver.state.queue]).toEqual([null, []])
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] a cut turn keeps what was said, with the reason it was cut, right before its terminal event', () => {
    const reasons = { 'turn.completed': null, 'turn.failed': 'error', 'turn.cancelled': 'cancelled', 'turn.interrupted': 'interrupted' }
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, events, before } of sessionAfter(history).history) {
          const end = events.filter(isTerminal).find(({ turnId }) => turnId === before?.active?.turnId)
          if (!end || end.type === 'turn.completed' || !('report' in command)) continue
          const said = command.report.said?.parts ?? []
          const kept = events.flatMap((event) => (event.type === 'message.completed' && event.message.role === 'assistant' ? [event] : []))
          expect(kept.map(({ message }) => message.parts)).toEqual(said.length > 0 ? [said] : [])
          for (const { seq, message } of kept) expect([seq, message.finishReason]).toEqual([end.seq - 1, reasons[end.type]])
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] a completed turn ends in the commit of its last words', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, events, before } of sessionAfter(history).history) {
          const end = events.find((event) => event.type === 'turn.completed')
          if (!end || command.type !== 'finishStep') continue
          const words = events[events.indexOf(end) - 1]
          expect(words).toMatchObject({ type: 'message.completed', turnId: before?.active?.turnId, message: { parts: command.parts } })
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] a terminal event tells all of its turn: where its input is, its attempts, its tokens', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        for (const end of events.filter(isTerminal)) {
          const own = events.filter((event) => 'turnId' in event && event.turnId === end.turnId)
          expect(factsOf(end)).toEqual(factsFrom(own))
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('generations', () => {
  test('[TRN5] only the current generation is heard; any other is refused and changes nothing', () => {
    fc.assert(
      fc.property(moves, fc.integer({ min: -5, max: 5 }), fc.boolean(), (history, off, isFailure) => {
        const driver = sessionAfter(history)
        const before = driver.state
        const generation = (before.active?.generation ?? before.head) + off
        const { decision } = driver.perform(speak(driver, generation, isFailure))
        const isCurrent = before.active !== null && off === 0
        expect(decision.ok).toBe(isCurrent)
        if (!decision.ok) expect(decision.error.code).toBe('turn_finished')
        expect(driver.state === before).toBe(!isCurrent)
      }),
      { numRuns: 600 },
    )
  })

  test('[TRN5] a generation that once spoke is never heard again after a recovery or the end of its turn', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const { state, now } = driver
        const past = driver.events.filter((event) => event.type === 'turn.started' || event.type === 'turn.resumed').map(({ seq }) => seq)
        const heard = past.filter((generation) => decide(state, driver.finishStep({ generation }), now).ok)
        expect(heard).toEqual(state.active ? [past.at(-1)] : [])
      }),
      { numRuns: 300 },
    )
  })
})

function speak(driver: SessionDriver, generation: number, isFailure: boolean) {
  if (!isFailure) return driver.finishStep({ generation })
  const error = { code: 'internal' as const, message: 'It broke.', retryable: false }
  return { type: 'failTurn' as const, generation, error, report: driver.report() }
}

function playedLines({ history }: SessionDriver): Line[] {
  let line: Line = { running: null, waiting: [] }
  return history.map(({ events }) => {
    line = events.reduce(advance, line)
    return line
  })
}

/** An interrupting turn goes to the front; whoever starts must have been first. */
function advance(line: Line, event: Event): Line {
  if (event.type === 'turn.queued') {
    const waiting = event.whenBusy === 'interrupt' ? [event.turnId, ...line.waiting] : [...line.waiting, event.turnId]
    return { ...line, waiting }
  }
  if (event.type === 'turn.started') {
    expect(event.turnId).toBe(line.waiting[0])
    return { ...line, running: event.turnId, waiting: line.waiting.slice(1) }
  }
  if (!isTerminal(event)) return line
  const running = line.running === event.turnId ? null : line.running
  return { ...line, running, waiting: line.waiting.filter((turnId) => turnId !== event.turnId) }
}

function factsOf({ queuedSeq, inputSeqs, startedAt, attempt, usage }: TerminalEvent) {
  return { queuedSeq, inputSeqs, startedAt, attempt, usage }
}

function factsFrom(own: Event[]) {
  const inputs = own.filter((event) => event.type === 'turn.queued' || event.type === 'turn.amended')
  const start = own.find((event) => event.type === 'turn.started')
  const lastStart = own.findLast((event) => event.type === 'turn.started' || event.type === 'turn.resumed')
  const steps = own.filter((event) => event.type === 'message.completed')
  const sum = (field: 'inputTokens' | 'outputTokens' | 'cachedTokens' | 'reasoningTokens') =>
    steps.reduce((total, { message }) => total + (message.usage?.[field] ?? 0), 0)
  return {
    queuedSeq: inputs[0]?.seq,
    inputSeqs: inputs.map(({ seq }) => seq),
    startedAt: start?.at ?? null,
    attempt: lastStart?.attempt ?? 0,
    usage: {
      inputTokens: sum('inputTokens'),
      outputTokens: sum('outputTokens'),
      cachedTokens: sum('cachedTokens'),
      reasoningTokens: sum('reasoningTokens'),
      ...noCost,
    },
  }
}
