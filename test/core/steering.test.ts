/** Order of the conversation, and what becomes of inputs that are given to a turn while it runs. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Command, TurnReport } from '../../src/core/command.ts'
import { isTerminal, type Event, type EventOf } from '../../src/protocol/event.ts'
import type { InputPart, Part } from '../../src/protocol/message.ts'
import { budgetFinishReasons } from '../../src/protocol/policy.ts'
import { moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { bob, newSession, type SessionDriver } from './session-driver.ts'

const words = (text: string): InputPart[] => [{ type: 'text', text }]

describe('order of the conversation', () => {
  test('[TRN8] messages stand turn by turn, in the order of promotion, each turn from its start to its end', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { events } = sessionAfter(history)
        const promoted = events.filter((event) => event.type === 'turn.started').map((event) => event.turnId)
        const spoken = events.flatMap((event) => (standsOnPath(event) ? [event.turnId] : []))
        expect(spoken.filter((turnId, index) => turnId !== spoken[index - 1])).toEqual(promoted)
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN8] a message says where it stands: the seq, turn and time of its event', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const places = driver.eventsOf('message.completed').map(({ message: { seq, turnId, createdAt } }) => [seq, turnId, createdAt])
        expect(places).toEqual(driver.eventsOf('message.completed').map(({ seq, turnId, at }) => [seq, turnId, at]))
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN8] a steered input stands right before the first words whose context held it, whole or cut', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const placed = driver.eventsOf('message.completed').flatMap((event) => (event.steeredSeq === undefined ? [] : [event]))
        expect(placed.map(({ seq }) => stepAfter(driver, seq))).toEqual(
          placed.map(({ steeredSeq = 0 }) => firstStepThatSaw(driver, steeredSeq)),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN8] admission puts nothing into the conversation', () => {
    const driver = newSession()
    driver.perform(driver.submit())
    const before = driver.state.context
    driver.perform(driver.submit())
    driver.perform(driver.submit({ whenBusy: 'steer' }))
    driver.perform(driver.submit({ whenBusy: 'collect' }))
    expect(driver.state.context).toEqual(before)
  })
})

describe('nothing steered is lost', () => {
  test('[TRN9] at any time a steered input waits, stands as a message, or is a turn of its own: one of them, once', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const waiting = driver.state.active?.steers.map(({ seq }) => seq) ?? []
        const places = [...waiting, ...takenUp(driver).map(({ steeredSeq }) => steeredSeq)]
        expect(places.toSorted(bySize)).toEqual(driver.eventsOf('turn.steered').map(({ seq }) => seq))
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN9] its words, and who said them, are the same wherever it went', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        driver.drain()
        const taken = new Map(takenUp(driver).map((place) => [place.steeredSeq, place]))
        const given = driver.eventsOf('turn.steered')
        expect(given.map(({ seq }) => taken.get(seq))).toEqual(given.map(({ seq, input, by }) => ({ steeredSeq: seq, input, by })))
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN9] only a spent budget completes a turn while a steered input waits; the commit that ends it queues what no words took up', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, events, before } of sessionAfter(history).history) {
          const end = events.filter(isTerminal).find(({ turnId }) => turnId === before?.active?.turnId)
          if (!end || !('report' in command)) continue
          const waiting = before?.active?.steers.map(({ seq }) => seq) ?? []
          const gone = events.flatMap((event) => ('steeredSeq' in event ? [[event.type, event.steeredSeq]] : []))
          const isOver = end.type === 'turn.completed' && !budgetReasons.has(end.finishReason)
          const seen = isOver ? Infinity : contextOf(command)
          expect(gone).toEqual(waiting.map((seq) => [seq <= seen ? 'message.completed' : 'turn.queued', seq]))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN9] a steer that arrived after the last step read its context gets one step more', () => {
    const driver = newSession()
    driver.perform(driver.submit())
    const contextSeq = driver.state.head
    driver.perform(driver.submit({ by: bob, whenBusy: 'steer', input: words('Also this') }))
    const first = driver.perform(driver.finishStep({ contextSeq }))
    expect(typesOf(first.events)).toEqual(['message.completed'])
    const second = driver.perform(driver.finishStep({}))
    expect(typesOf(second.events)).toEqual(['message.completed', 'message.completed', 'turn.completed'])
    expect(second.events[0]).toMatchObject({ by: bob, message: { role: 'user', parts: words('Also this') } })
  })

  test('[TRN9] a cancelled turn leaves its steered inputs behind as turns, after those that were queued before', () => {
    const driver = newSession()
    driver.perform(driver.submit())
    const turnId = driver.state.active?.turnId ?? ''
    driver.perform(driver.submit({ whenBusy: 'steer', input: words('one') }))
    driver.perform(driver.submit({ input: words('queued') }))
    driver.perform(driver.submit({ by: bob, whenBusy: 'steer', source: 'socket', input: words('two') }))
    const { events } = driver.perform(driver.cancel(turnId))
    expect(typesOf(events)).toEqual(['turn.cancelled', 'turn.queued', 'turn.queued', 'turn.started'])
    expect(events[2]).toMatchObject({ by: bob, source: 'socket', whenBusy: 'steer', input: words('two') })
    expect(inLine(driver)).toEqual(['queued', 'one', 'two'])
  })
})

const budgetReasons = new Set<string>(Object.values(budgetFinishReasons))

/** As of which seq the words that end the turn knew the conversation; 0: nothing was said. */
function contextOf(command: Extract<Command, { report: TurnReport }>): number {
  if (command.type === 'finishStep') return command.contextSeq
  const { said } = command.report
  return said && said.parts.length > 0 ? said.contextSeq : 0
}

function standsOnPath(event: Event): event is EventOf<'turn.started' | 'message.completed'> {
  return event.type === 'turn.started' || event.type === 'message.completed'
}

/** The message of the assistant that follows, other steered inputs aside. */
function stepAfter(driver: SessionDriver, seq: number): number | undefined {
  return driver.eventsOf('message.completed').find((event) => event.seq > seq && event.steeredSeq === undefined)?.seq
}

function firstStepThatSaw(driver: SessionDriver, steeredSeq: number): number | undefined {
  return driver.eventsOf('message.completed').find(({ contextSeq, message }) => message.role === 'assistant' && contextSeq >= steeredSeq)
    ?.seq
}

interface Place {
  steeredSeq: number
  input: Part[]
  by: Event['by']
}

function takenUp(driver: SessionDriver): Place[] {
  return driver.events.flatMap((event): Place[] => {
    if (event.type === 'turn.queued' && event.steeredSeq !== undefined)
      return [{ steeredSeq: event.steeredSeq, input: event.input, by: event.by }]
    if (event.type !== 'message.completed' || event.steeredSeq === undefined) return []
    return [{ steeredSeq: event.steeredSeq, input: event.message.parts, by: event.by }]
  })
}

function typesOf(events: Event[]): string[] {
  return events.map((event) => event.type)
}

function inLine({ state, events }: SessionDriver): string[] {
  const line = [state.active, ...state.queue].flatMap((turn) => turn?.inputSeqs ?? [])
  return line.flatMap((seq) => textOf(events[seq - 1]))
}

function textOf(event: Event | undefined): string[] {
  const parts = event?.type === 'turn.queued' ? event.input : []
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
}

function bySize(a: number, b: number): number {
  return a - b
}
