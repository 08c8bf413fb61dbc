/** What each `whenBusy` does, and what a full queue or too large an input is refused with. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonBytes, limits } from '../../src/protocol/limits.ts'
import { queuedSeqOf } from '../../src/protocol/ids.ts'
import type { InputPart } from '../../src/protocol/message.ts'
import { WhenBusySchema, type WhenBusy } from '../../src/protocol/turn.ts'
import { ada, bob, guest, newSession, type Outcome, type SessionDriver } from './session-driver.ts'

const words = (text: string): InputPart[] => [{ type: 'text', text }]

/** An input of exactly so many bytes of JSON. */
const inputOf = (bytes: number): InputPart[] => words('x'.repeat(bytes - jsonBytes(words(''))))

function busySession(): SessionDriver {
  const driver = newSession()
  driver.perform(driver.submit({ input: words('first') }))
  return driver
}

describe('whenBusy', () => {
  test.for(WhenBusySchema.options)('[TRN1] an idle session starts a turn at once, in one commit: %s', (whenBusy) => {
    const driver = newSession()
    const { decision } = driver.perform(driver.submit({ whenBusy }))
    const turnId = driver.state.active?.turnId
    expect(decision).toMatchObject({
      ok: true,
      receipt: { seq: 2, turnId },
      events: [
        { seq: 2, type: 'turn.queued', turnId, by: ada, source: 'api', whenBusy, input: words('Hello') },
        { seq: 3, type: 'turn.started', turnId, attempt: 1, inputSeqs: [2], agent: 'demo', window: 200 },
      ],
    })
  })

  test('[TRN2] enqueue waits its turn and starts in the commit that ends the one before it', () => {
    const driver = busySession()
    const second = driver.perform(driver.submit({ by: bob }))
    expect(typesOf(second)).toEqual(['turn.queued'])
    const end = driver.perform(driver.finishStep({}))
    expect(typesOf(end)).toEqual(['message.completed', 'turn.completed', 'turn.started'])
    expect(driver.state.active).toMatchObject({ by: bob, queuedSeq: 4, inputSeqs: [4] })
  })

  test('[TRN2] reject refuses while a turn runs, and stores nothing', () => {
    const driver = busySession()
    const { decision, before, after } = driver.perform(driver.submit({ whenBusy: 'reject' }))
    expect(decision).toMatchObject({ ok: false, error: { code: 'busy', retryable: true } })
    expect(after).toBe(before)
  })

  test('[TRN2] interrupt cancels the running turn and runs ahead of the queue, all in one commit', () => {
    const driver = busySession()
    const first = driver.state.active?.turnId
    driver.perform(driver.submit({ input: words('queued') }))
    const command = driver.submit({ by: bob, whenBusy: 'interrupt', report: driver.report(words('I was say')) })
    const { events, decision } = driver.perform(command)
    expect(events).toMatchObject([
      { type: 'message.completed', turnId: first, message: { parts: words('I was say'), finishReason: 'cancelled' } },
      { type: 'turn.cancelled', turnId: first, by: bob },
      { type: 'turn.queued', by: bob },
      { type: 'turn.started', turnId: driver.state.active?.turnId },
    ])
    expect(decision).toMatchObject({ receipt: { seq: events[2]?.seq, turnId: driver.state.active?.turnId } })
    expect(driver.state.queue).toMatchObject([{ queuedSeq: 4 }])
  })

  test('[TRN2] interrupt is accepted with a full queue too, and leaves it as long as it was', () => {
    const driver = busySession()
    for (let i = 0; i < limits.queuedTurns; i++) driver.perform(driver.submit({ whenBusy: i % 2 ? 'steer' : 'enqueue' }))
    const { decision } = driver.perform(driver.submit({ whenBusy: 'interrupt' }))
    expect([decision.ok, driver.state.queue.length, driver.state.active?.steers]).toEqual([true, limits.queuedTurns, []])
  })

  test('[TRN9] steer is given to the running turn, and acknowledged with that turn', () => {
    const driver = busySession()
    const { turnId = '' } = driver.state.active ?? {}
    const { decision, events } = driver.perform(driver.submit({ by: bob, whenBusy: 'steer', input: words('more') }))
    expect(events).toMatchObject([{ seq: 4, type: 'turn.steered', turnId, by: bob, input: words('more'), source: 'api' }])
    expect(decision).toMatchObject({ receipt: { seq: 4, turnId } })
    expect(driver.state.active?.steers).toMatchObject([{ seq: 4, by: bob }])
  })

  test('[TRN2] collect is merged into the last queued turn of the same asker, whoever else asked since', () => {
    const driver = busySession()
    for (const by of [bob, ada, bob, guest]) driver.perform(driver.submit({ by }))
    const [, , mine] = driver.state.queue
    const { events, decision } = driver.perform(driver.submit({ by: bob, whenBusy: 'collect', input: words('and') }))
    expect(events).toMatchObject([{ type: 'turn.amended', turnId: mine?.turnId, by: bob, parts: words('and') }])
    expect(decision).toMatchObject({ receipt: { seq: events[0]?.seq, turnId: mine?.turnId } })
    expect(driver.state.queue[2]?.inputSeqs).toEqual([mine?.queuedSeq, events[0]?.seq])
  })

  test('[TRN2] collect is enqueued if only others wait: a key and a token of the same id are two askers', () => {
    const driver = busySession()
    driver.perform(driver.submit({ by: guest }))
    expect([guest.id, guest.kind === ada.kind]).toEqual([ada.id, false])
    expect(typesOf(driver.perform(driver.submit({ by: ada, whenBusy: 'collect' })))).toEqual(['turn.queued'])
  })
})

describe('limits', () => {
  test('[TRN2] sixteen may wait, queued or steered in any mixture; the next is refused with queue_full', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
        fc.constantFrom<WhenBusy>('enqueue', 'steer', 'collect'),
        (mix, last) => {
          const driver = busySession()
          for (const isSteer of mix)
            expect(driver.perform(driver.submit({ whenBusy: isSteer ? 'steer' : 'enqueue' })).decision.ok).toBe(true)
          const { decision, before, after } = driver.perform(driver.submit({ by: bob, whenBusy: last }))
          expect(decision).toMatchObject({ ok: false, error: { code: 'queue_full', retryable: true, retryAfterSeconds: 1 } })
          expect(after).toBe(before)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('[TRN2] collect finds a place in a full queue when a turn of its asker waits there', () => {
    const driver = busySession()
    for (let i = 0; i < limits.queuedTurns; i++) driver.perform(driver.submit({ by: bob }))
    expect(typesOf(driver.perform(driver.submit({ by: bob, whenBusy: 'collect' })))).toEqual(['turn.amended'])
  })

  test.for(WhenBusySchema.options)('[SEC5] an input of 1 MiB of stored JSON is accepted, a byte more is not: %s', (whenBusy) => {
    const driver = newSession()
    const tooLarge = driver.perform(driver.submit({ whenBusy, input: inputOf(limits.inputBytes + 1) }))
    expect(tooLarge.decision).toMatchObject({ ok: false, error: { code: 'payload_too_large' } })
    expect(driver.perform(driver.submit({ whenBusy, input: inputOf(limits.inputBytes) })).decision.ok).toBe(true)
  })

  test('[SEC5] sizes are bytes of UTF-8 as stored, not characters', () => {
    const driver = newSession()
    const euros = words('€'.repeat(limits.inputBytes / 3))
    expect(driver.perform(driver.submit({ input: euros })).decision).toMatchObject({ error: { code: 'payload_too_large' } })
    const quotes = words('"'.repeat(limits.inputBytes / 2))
    expect(driver.perform(driver.submit({ input: quotes })).decision).toMatchObject({ error: { code: 'payload_too_large' } })
  })

  test('[SEC5] a turn that is collected stays within 1 MiB as a whole', () => {
    const driver = busySession()
    driver.perform(driver.submit({ input: inputOf(limits.inputBytes / 2) }))
    const more = (bytes: number) => driver.submit({ whenBusy: 'collect', input: inputOf(bytes) })
    expect(driver.perform(more(limits.inputBytes / 2 + 1)).decision).toMatchObject({ ok: false, error: { code: 'payload_too_large' } })
    expect(typesOf(driver.perform(more(limits.inputBytes / 2)))).toEqual(['turn.amended'])
    expect(driver.perform(more(100)).decision).toMatchObject({ ok: false, error: { code: 'payload_too_large' } })
  })

  test('[SEC5] a queued turn holds 64 inputs at most', () => {
    const driver = busySession()
    const collect = () => driver.perform(driver.submit({ whenBusy: 'collect' }))
    for (let i = 0; i < limits.amendments; i++) expect(collect().decision.ok).toBe(true)
    expect(collect().decision).toMatchObject({ ok: false, error: { code: 'limit_exceeded' } })
    expect(driver.state.queue[0]?.inputSeqs).toHaveLength(64)
  })

  test('[TRN2] a turn that was collected starts with all its inputs, in the order in which they came', () => {
    const driver = busySession()
    for (const text of ['one', 'two', 'three']) driver.perform(driver.submit({ whenBusy: 'collect', input: words(text) }))
    driver.perform(driver.finishStep({}))
    const { inputSeqs = [], turnId = '' } = driver.eventsOf('turn.started').at(-1) ?? {}
    expect(inputSeqs).toEqual([4, 5, 6])
    expect(queuedSeqOf(turnId)).toBe(4)
  })
})

function typesOf({ events }: Outcome): string[] {
  return events.map((event) => event.type)
}
