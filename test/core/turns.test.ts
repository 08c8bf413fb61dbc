/** Rules of turns: one runs, the others wait in line, each ends exactly once, and only its own generation is heard. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { pendingEffects, type Effect } from '../../src/core/pending-effects.ts'
import { isTerminal, type Event, type TerminalEvent } from '../../src/protocol/event.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { TokenUsage } from '../../src/protocol/message.ts'
import { longMoves, moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { turnCost, type SessionDriver } from './session-driver.ts'

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

  test('[TRN1] what must go on: a step of the running turn, or the tools it started, as the generation that may speak', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { state, events } = sessionAfter(history)
        expect(pendingEffects(state)).toEqual(effectsFrom(events))
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN4] nothing is stuck: a running turn has something going on, a waiting one only calls that somebody is asked about', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { after } of sessionAfter(history).history) {
          if (!after?.active) continue
          const { status, calls } = after.active
          const statuses = new Set(calls.map((call) => call.status))
          expect(statuses.has('open')).toBe(false)
          if (status === 'waiting') expect([...statuses]).toEqual(['asked'])
          else expect(calls.length === 0 || statuses.has('started')).toBe(true)
          expect(pendingEffects(after).length > 0).toBe(status === 'running')
        }
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
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, events, before } of sessionAfter(history).history) {
          const end = events.filter(isTerminal).find(({ turnId }) => turnId === before?.active?.turnId)
          if (!end || command.type === 'finishStep' || !('report' in command)) continue
          const said = command.report.said?.parts ?? []
          const kept = events.flatMap((event) => (event.type === 'message.completed' && event.message.role === 'assistant' ? [event] : []))
          expect(kept.map(({ message }) => message.parts)).toEqual(said.length > 0 ? [said] : [])
          for (const { seq, message } of kept) expect([seq, message.finishReason]).toEqual([end.seq - 1, reasonOf(end)])
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] a completed turn ends in the commit of its last words, unless its time was over', () => {
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

describe('usage', () => {
  test('[MET1] tokens are counted with their message, time and rows with the end of their turn: each exactly once', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { state, events } = sessionAfter(history)
        const ends = events.filter((event) => isTerminal(event)).filter(({ startedAt }) => startedAt !== null)
        expect(state.usage).toEqual({
          turns: events.filter(({ type }) => type === 'turn.started').length,
          ...tokensIn(events),
          activeMs: ends.length * turnCost.activeMs,
          storage: { rowsRead: ends.length * turnCost.storage.rowsRead, rowsWritten: ends.length * turnCost.storage.rowsWritten },
        })
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
        const isCurrent = off === 0 && before.active?.status === 'running' && (isFailure || before.active.calls.length === 0)
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
        const isStepRunning = pendingEffects(state)[0]?.type === 'runStep'
        expect(heard).toEqual(isStepRunning ? [past.at(-1)] : [])
      }),
      { numRuns: 300 },
    )
  })
})

function speak(driver: SessionDriver, generation: number, isFailure: boolean) {
  return isFailure ? { ...driver.fail(), generation } : driver.finishStep({ generation })
}

/** What the log alone tells of what must be going on. */
function effectsFrom(events: Event[]): Effect[] {
  const spokenFor = events.findLast((event) => event.type === 'turn.started' || event.type === 'turn.resumed')
  if (!spokenFor) return []
  const { turnId } = spokenFor
  const own = events.filter((event) => 'turnId' in event && event.turnId === turnId)
  const waits = own.findLast((event) => event.type === 'turn.waiting' || event.type === 'turn.resumed')?.type === 'turn.waiting'
  if (waits || own.some(isTerminal)) return []
  const step = own.filter((event) => event.type === 'message.completed' && event.message.role === 'assistant').length + 1
  const open = callsWithoutResult(own)
  if (open.length === 0) return [{ type: 'runStep', turnId, generation: spokenFor.seq, step }]
  const started = new Set(own.flatMap((event) => (event.type === 'tool.started' ? [event.toolCallId] : [])))
  return open.flatMap((toolCallId) => (started.has(toolCallId) ? [{ type: 'runTool', turnId, generation: spokenFor.seq, toolCallId }] : []))
}

function callsWithoutResult(own: Event[]): string[] {
  const parts = own.flatMap((event) => (event.type === 'message.completed' ? event.message.parts : []))
  const ended = new Set(parts.flatMap((part) => (part.type === 'tool-result' ? [part.toolCallId] : [])))
  return parts.flatMap((part) => (part.type === 'tool-call' && !ended.has(part.toolCallId) ? [part.toolCallId] : []))
}

function reasonOf(end: TerminalEvent): string {
  if (end.type === 'turn.completed') return end.finishReason
  return { 'turn.failed': 'error', 'turn.cancelled': 'cancelled', 'turn.interrupted': 'interrupted' }[end.type]
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
  return {
    queuedSeq: inputs[0]?.seq,
    inputSeqs: inputs.map(({ seq }) => seq),
    startedAt: start?.at ?? null,
    attempt: lastStart?.attempt ?? 0,
    usage: { ...tokensIn(own), ...(start ? turnCost : noCost) },
  }
}

const noCost = { activeMs: 0, storage: { rowsRead: 0, rowsWritten: 0 } }

function tokensIn(events: readonly Event[]): TokenUsage {
  const used = events.flatMap((event) => (event.type === 'message.completed' && event.message.usage ? [event.message.usage] : []))
  const sum = (field: keyof TokenUsage) => used.reduce((total, usage) => total + usage[field], 0)
  return {
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    cachedTokens: sum('cachedTokens'),
    reasoningTokens: sum('reasoningTokens'),
  }
}
