/** Which turns stand in the context: against a plain list of turns, and against the log. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contextMessages, contextTokens, growSpan, maxContextSpans, openSpan } from '../../src/core/context-window.ts'
import type { ContextWindow } from '../../src/core/state.ts'
import type { Event } from '../../src/protocol/event.ts'
import { longMoves, moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'

/** `open`: a turn begins with an input of so many tokens. Otherwise a message joins the newest turn. */
interface Step {
  open: boolean
  tokens: number
}

const nothing: ContextWindow = { window: 0, spans: [], omittedMessages: 0 }

/** At least ten tokens a turn, so that no more than 128 turns fit into 1,280. */
const fewTurns = fc.tuple(
  fc.integer({ min: 1, max: 1280 }),
  fc.array(fc.record({ open: fc.boolean(), tokens: fc.integer({ min: 10, max: 40 }) }), { maxLength: 400, size: 'max' }),
)

/** 128 turns just fit, now and then one less: the next one must push out one turn, not two that were merged. */
const evenTurns = fc.tuple(
  fc.integer({ min: 1275, max: 1289 }),
  fc.array(fc.record({ open: fc.constant(true), tokens: fc.constantFrom(...Array<number>(60).fill(10), 11) }), {
    minLength: 130,
    maxLength: 300,
    size: 'max',
  }),
)

/** Far more than 128 turns may fit. */
const manyTurns = fc.tuple(
  fc.integer({ min: 1, max: 12_000 }),
  fc.array(fc.record({ open: fc.boolean(), tokens: fc.integer({ min: 1, max: 30 }) }), { maxLength: 800, size: 'max' }),
)

describe('against a plain list of turns', () => {
  test.for([
    ['any turns', fewTurns],
    ['128 turns that just fit', evenTurns],
  ] as const)('[LOG6] up to 128 turns the context is exact to the turn: %s', ([, histories]) => {
    fc.assert(
      fc.property(histories, ([window, steps]) => {
        const plain = new PlainWindow(window)
        const expected = steps.map((step, index) => plain.play(step, index + 1))
        expect(playAll(window, steps).map(seenOf)).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] the kept turns fit the window, unless the newest alone is larger', () => {
    fc.assert(
      fc.property(manyTurns, ([window, steps]) => {
        const tooLarge = playAll(window, steps).filter((context) => contextTokens(context) > window)
        expect(tooLarge.filter(({ spans }) => spans.length > 1 || spans[0]?.turns !== 1)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] however many turns, what is kept and what was left out are all messages, in a bounded number of spans', () => {
    fc.assert(
      fc.property(manyTurns, ([window, steps]) => {
        const first = steps.findIndex((step) => step.open)
        const context = playAll(window, steps).at(-1) ?? nothing
        expect(contextMessages(context) + context.omittedMessages).toBe(first === -1 ? 0 : steps.length - first)
        expect(context.spans.length).toBeLessThanOrEqual(maxContextSpans)
        expect(context.spans.at(-1)?.fromSeq).toBe(first === -1 ? undefined : steps.findLastIndex((step) => step.open) + 1)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] beyond 128 turns the two smallest neighbours become one, never the newest', () => {
    let context = nothing
    for (let turn = 1; turn < maxContextSpans; turn++) context = openSpan(context, 1_000_000, turn, turn === 50 || turn === 51 ? 3 : 100)
    for (const seq of [999, 1000]) context = openSpan(context, 1_000_000, seq, 1)
    expect(context.spans).toHaveLength(maxContextSpans)
    expect(context.spans[49]).toEqual({ fromSeq: 50, turns: 2, messages: 2, tokens: 6 })
    expect(context.spans.at(-1)).toEqual({ fromSeq: 1000, turns: 1, messages: 1, tokens: 1 })
  })
})

describe('against the log', () => {
  test.for([
    ['short histories', moves, 200],
    ['long histories', longMoves, 5000],
  ] as const)('[LOG6] what is kept are the messages from the first span on, and the rest was left out: %s', ([, histories, window]) => {
    fc.assert(
      fc.property(histories, (history) => {
        const { events, state } = sessionAfter(history, window)
        const { context } = state
        const seqs = events.filter(isMessage).map(({ seq }) => seq)
        const from = context.spans[0]?.fromSeq ?? Infinity
        expect(contextMessages(context)).toBe(seqs.filter((seq) => seq >= from).length)
        expect(context.omittedMessages).toBe(seqs.filter((seq) => seq < from).length)
      }),
      { numRuns: 300 },
    )
  })

  test('[CMP2] a span begins at the start of a turn, so that the context holds whole turns only', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const starts = new Set(driver.eventsOf('turn.started').map(({ seq }) => seq))
        expect(driver.state.context.spans.filter(({ fromSeq }) => !starts.has(fromSeq))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG6] with every message that a turn begins or grows by, older turns leave until the rest fits', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const { history: outcomes } = sessionAfter(history)
        const states = outcomes.flatMap(({ events, after }) => (events.some(isMessage) && after ? [after] : []))
        const tooLarge = states.filter(({ context }) => contextTokens(context) > context.window && context.spans.length > 1)
        expect(tooLarge).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

/** The rule in its plainest form: a list of turns, of which the oldest is dropped while all are too many tokens. */
class PlainWindow {
  readonly #window: number
  #turns: { fromSeq: number; messages: number; tokens: number }[] = []
  #omitted = 0

  constructor(window: number) {
    this.#window = window
  }

  play({ open, tokens }: Step, seq: number) {
    const last = this.#turns.at(-1)
    if (open) this.#turns.push({ fromSeq: seq, messages: 1, tokens })
    else if (last) this.#turns[this.#turns.length - 1] = { ...last, messages: last.messages + 1, tokens: last.tokens + tokens }
    while (this.#turns.length > 1 && this.#tokens() > this.#window) this.#omitted += this.#turns.shift()?.messages ?? 0
    const { length } = this.#turns
    return {
      fromSeq: this.#turns[0]?.fromSeq,
      turns: length,
      tokens: this.#tokens(),
      messages: this.#sum('messages'),
      omitted: this.#omitted,
    }
  }

  /** The marker of what was left out takes 32. */
  #tokens(): number {
    return this.#sum('tokens') + (this.#omitted > 0 ? 32 : 0)
  }

  #sum(field: 'tokens' | 'messages'): number {
    return this.#turns.reduce((sum, turn) => sum + turn[field], 0)
  }
}

/** The context after each step. */
function playAll(window: number, steps: Step[]): ContextWindow[] {
  let context = nothing
  return steps.map(({ open, tokens }, index) => {
    context = open ? openSpan(context, window, index + 1, tokens) : growSpan(context, tokens)
    return context
  })
}

function seenOf(context: ContextWindow) {
  return {
    fromSeq: context.spans[0]?.fromSeq,
    turns: context.spans.reduce((sum, span) => sum + span.turns, 0),
    tokens: contextTokens(context),
    messages: contextMessages(context),
    omitted: context.omittedMessages,
  }
}

function isMessage(event: Event): boolean {
  return event.type === 'turn.started' || event.type === 'message.completed'
}
