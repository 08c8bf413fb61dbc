/** Turns over HTTP: found again however old, listed in pages, queued within bounds, and what each whenBusy does. */
import { describe, expect, it } from 'vitest'
import type { Problem } from '../../src/protocol/errors.ts'
import { isTerminal } from '../../src/protocol/event.ts'
import type { Message } from '../../src/protocol/message.ts'
import type { Turn } from '../../src/protocol/turn.ts'
import { call, keyOf } from '../edge/edge-client.ts'
import { crash, grow, RowMeter, stubOf } from './object-probe.ts'
import {
  answerOf,
  cancel,
  everyEvent,
  everyTurn,
  getSession,
  getTurn,
  newSession,
  runTurn,
  submit,
  textOf,
  whenIdle,
  words,
  type Receipt,
} from './session-client.ts'

const refusedAs = (id: string, status: number, body: unknown) => answerOf<Problem>(status, 'POST', `/v1/sessions/${id}/turns`, { body })

describe('a turn looked up', () => {
  it('[LOG6] is the same after more than a hundred further turns, whatever became of it, and costs few reads', async () => {
    const id = await newSession()
    const first = (await runTurn(id, '/stream 3 0')).turn
    const failed = (await runTurn(id, '/fail on purpose')).turn
    const running = (await submit(id, '/stream 100 20')).turn
    const withdrawn = await cancel(id, (await submit(id, 'never')).turn.id)
    const cancelled = await cancel(id, running.id)
    await grow(id, 150)
    for (const wake of [() => Promise.resolve(), () => crash(stubOf(id))]) {
      await wake()
      for (const turn of [first, failed, cancelled, withdrawn]) expect(await getTurn(id, turn.id)).toEqual(turn)
    }
    expect([first, failed, cancelled, withdrawn].map(({ status }) => status)).toEqual(['completed', 'failed', 'cancelled', 'cancelled'])
    expect(failed.error).toMatchObject({ code: 'internal', message: 'on purpose', retryable: false })
    const meter = await RowMeter.install(stubOf(id))
    for (const turn of [first, failed, cancelled, withdrawn]) await getTurn(id, turn.id)
    expect(meter.rowsRead).toBeLessThanOrEqual(4 * 64)
    expect((await everyTurn(id)).find((turn) => turn.id === first.id)).toEqual(first)
  })

  it('[LOG6] that waited in the queue across snapshots is found', async () => {
    const id = await newSession()
    const running = (await submit(id, '/stream 10000 20')).turn
    const waiting = (await submit(id, '/stream 3 0')).turn
    // Each is a commit of its own, so that several snapshots know the waiting turn.
    for (let change = 0; change < 100; change++) await answerOf(200, 'PATCH', `/v1/sessions/${id}`, { body: { title: `${change}` } })
    expect(await getTurn(id, waiting.id)).toMatchObject({ status: 'queued', position: 1 })
    await cancel(id, running.id)
    await whenIdle(id)
    await grow(id, 60)
    for (const wake of [() => Promise.resolve(), () => crash(stubOf(id))]) {
      await wake()
      expect(await getTurn(id, waiting.id)).toMatchObject({ status: 'completed', id: waiting.id, finishReason: 'stop' })
      expect(await getTurn(id, running.id)).toMatchObject({ status: 'cancelled', id: running.id })
    }
  })

  it('[TRN3] that never was is 404, also under the seq of one that was', async () => {
    const id = await newSession()
    const { turn } = await runTurn(id, '/bytes 1')
    const forged = `${turn.id.slice(0, -1)}${turn.id.endsWith('0') ? '1' : '0'}`
    for (const turnId of [forged, `trn_${'0'.repeat(26)}`, `trn_${'Z'.repeat(26)}`]) {
      expect((await answerOf<Problem>(404, 'GET', `/v1/sessions/${id}/turns/${turnId}`)).code).toBe('not_found')
      expect((await answerOf<Problem>(404, 'POST', `/v1/sessions/${id}/turns/${turnId}/cancel`)).code).toBe('not_found')
    }
  })
})

describe('the list of turns', () => {
  it('[TRN3] has every turn once, newest first, in pages of any size, whole or by status', async () => {
    const id = await newSession()
    const inputs = Array.from({ length: 40 }, (_, index) => (index % 4 === 1 ? '/fail on purpose' : `/bytes ${index + 1}`))
    const turns: Turn[] = []
    for (const input of inputs) turns.push((await runTurn(id, input)).turn)
    const cut = (await submit(id, '/stream 200 20')).turn
    turns.push(await cancel(id, cut.id))
    turns.reverse()
    for (const limit of [1, 7, 200]) {
      expect(await everyTurn(id, { limit })).toEqual(turns)
      for (const status of ['completed', 'failed', 'cancelled', 'interrupted', 'queued']) {
        expect(await everyTurn(id, { limit, status })).toEqual(turns.filter((turn) => turn.status === status))
      }
    }
  })

  it('[TRN2] shows the running turn and the queue with their places, as the session does', async () => {
    const id = await newSession()
    const receipts: Receipt[] = []
    for (let turn = 0; turn < 4; turn++) receipts.push(await submit(id, `/stream ${200 - turn} 20`))
    const ids = receipts.map(({ turn }) => turn.id)
    expect(receipts.map(({ turn }) => [turn.status, turn.position])).toEqual([
      ['running', 0],
      ['queued', 1],
      ['queued', 2],
      ['queued', 3],
    ])
    const listed = await everyTurn(id)
    expect(listed.map((turn) => [turn.id, turn.status, turn.position])).toEqual(
      ids.map((turnId, place) => [turnId, place === 0 ? 'running' : 'queued', place]).toReversed(),
    )
    const session = await getSession(id)
    expect(session.activeTurn?.id).toBe(ids[0])
    expect(session.queue.map((turn) => [turn.id, turn.position])).toEqual([
      [ids[1], 1],
      [ids[2], 2],
      [ids[3], 3],
    ])
    expect(await everyTurn(id, { status: 'queued' })).toEqual(listed.slice(0, 3))
    expect(await cancel(id, ids[2] ?? '')).toMatchObject({ status: 'cancelled', startedAt: null, attempt: 0 })
    expect((await getTurn(id, ids[3] ?? '')).position).toBe(2)
    for (const turnId of ids.toReversed()) await call('POST', `/v1/sessions/${id}/turns/${turnId}/cancel`)
    await whenIdle(id)
  })

  it('[TRN2] cuts a queued input at 500 characters in the session, and nowhere else', async () => {
    const id = await newSession()
    const running = (await submit(id, '/stream 500 20')).turn
    const long = `/unknown ${'😀'.repeat(600)}`
    const { turn } = await submit(id, long)
    expect(textOf({ parts: turn.input })).toBe(long)
    const [queued] = (await getSession(id)).queue
    expect(textOf({ parts: queued?.input ?? [] }).length).toBeLessThanOrEqual(500)
    expect(textOf({ parts: (await getTurn(id, turn.id)).input })).toBe(long)
    await cancel(id, running.id)
    await whenIdle(id)
  })
})

describe('a busy session', () => {
  it('[TRN1] runs overlapping turns one at a time, in the order they were accepted', async () => {
    const id = await newSession()
    const receipts = await Promise.all(Array.from({ length: 12 }, (_, index) => submit(id, `/stream ${index + 1} 3`)))
    await whenIdle(id)
    const log = await everyEvent(id)
    const accepted = receipts.toSorted((a, b) => a.seq - b.seq).map(({ turn }) => turn.id)
    expect(log.flatMap((event) => (event.type === 'turn.started' ? [event.turnId] : []))).toEqual(accepted)
    let running: string | null = null
    for (const event of log) {
      if (event.type === 'turn.started') {
        expect(running).toBeNull()
        running = event.turnId
      } else if (isTerminal(event)) {
        expect(event.turnId).toBe(running)
        running = null
      }
    }
  })

  it('[TRN2] of 300 overlapping turns lets 16 wait, refuses the rest with 429 and Retry-After, and stores nothing of them', async () => {
    const waiting = 16
    const id = await newSession()
    const first = await submit(id, '/stream 10000 10')
    const answers = await Promise.all(
      Array.from({ length: 299 }, (_, index) => call('POST', `/v1/sessions/${id}/turns`, { body: { input: `/bytes ${index + 1}` } })),
    )
    const accepted = answers.filter(({ status }) => status === 202)
    const refused = answers.filter(({ status }) => status === 429)
    expect([accepted.length, refused.length]).toEqual([waiting, 299 - waiting])
    for (const response of refused) {
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      expect(await response.json()).toMatchObject({ code: 'queue_full', retryable: true, status: 429 })
    }
    const ids = [first.turn.id, ...(await Promise.all(accepted.map(async (response) => ((await response.json()) as Receipt).turn.id)))]
    expect((await getSession(id)).head).toBe(3 + waiting)
    await cancel(id, first.turn.id)
    await whenIdle(id)
    const log = await everyEvent(id)
    expect(log.flatMap((event) => (event.type === 'turn.queued' ? [event.turnId] : [])).toSorted()).toEqual(ids.toSorted())
    expect(log.filter(isTerminal)).toHaveLength(1 + waiting)
  })

  it('[TRN2] reject is refused as busy and stores nothing; when idle it runs', async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 300 20')
    expect((await refusedAs(id, 409, { input: 'x', whenBusy: 'reject' })).code).toBe('busy')
    expect((await getSession(id)).head).toBe(3)
    await cancel(id, turn.id)
    expect((await submit(id, '/bytes 1', 'reject')).turn.status).toBe('running')
  })

  it('[TRN3] interrupt cancels the running turn, keeps what it said, and runs ahead of the queue', async () => {
    const id = await newSession()
    const running = (await submit(id, '/stream 300 20')).turn
    const waiting = (await submit(id, '/stream 2 0')).turn
    await scheduler.wait(300)
    const urgent = (await submit(id, '/stream 3 0', 'interrupt')).turn
    expect(urgent.status).toBe('running')
    await whenIdle(id)
    const log = await everyEvent(id)
    expect(log.filter(isTerminal).map(({ turnId, type }) => [turnId, type])).toEqual([
      [running.id, 'turn.cancelled'],
      [urgent.id, 'turn.completed'],
      [waiting.id, 'turn.completed'],
    ])
    const said = log.find((event) => event.type === 'message.completed' && event.turnId === running.id)
    if (said?.type !== 'message.completed') throw new Error('Nothing was kept')
    expect(said.message.finishReason).toBe('cancelled')
    expect(words(300).startsWith(textOf(said.message))).toBe(true)
    expect(textOf(said.message).length).toBeGreaterThan(10)
  })

  it('[TRN9] steer is taken up by the running turn in one more step; when idle it is a turn of its own', async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 40 20')
    await scheduler.wait(100)
    const steered = await submit(id, 'to the left', 'steer')
    expect(steered.turn.id).toBe(turn.id)
    await whenIdle(id)
    const { items } = await answerOf<{ items: Message[] }>(200, 'GET', `/v1/sessions/${id}/messages`)
    expect(items.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(textOf(items[3] ?? { parts: [] })).toContain('Steered: to the left')
    expect(items.filter(({ role }) => role === 'assistant').map((item) => item.finishReason)).toEqual(['steered', 'stop'])
    const own = await submit(id, '/bytes 1', 'steer')
    expect(own.turn.id).not.toBe(turn.id)
    await whenIdle(id)
    expect((await everyTurn(id)).map(({ status }) => status)).toEqual(['completed', 'completed'])
  })

  it('[TRN2] collect joins the last queued turn of the same caller, and no one else’s', async () => {
    const id = await newSession()
    const other = await keyOf('member')
    const running = (await submit(id, '/stream 300 20')).turn
    const mine = (await submit(id, '/unknown first', 'collect')).turn
    const body = { input: '/bytes 7', whenBusy: 'collect' }
    const theirs = await answerOf<Receipt>(202, 'POST', `/v1/sessions/${id}/turns`, { body, credential: other })
    const joined = (await submit(id, 'second', 'collect')).turn
    expect(joined.id).toBe(mine.id)
    expect(joined.input).toEqual([
      { type: 'text', text: '/unknown first' },
      { type: 'text', text: 'second' },
    ])
    expect(theirs.turn.id).not.toBe(mine.id)
    expect((await getSession(id)).queue.map((turn) => turn.id)).toEqual([mine.id, theirs.turn.id])
    await cancel(id, running.id)
    await whenIdle(id)
    expect((await getTurn(id, mine.id)).input).toEqual(joined.input)
    expect((await answerOf<Problem>(409, 'POST', `/v1/sessions/${id}/turns/${mine.id}/cancel`)).code).toBe('turn_finished')
  })

  it('[TRN7] a client that hangs up changes nothing about its turn', async () => {
    const id = await newSession()
    const response = await call('POST', `/v1/sessions/${id}/turns`, {
      body: { input: '/stream 20 20' },
      headers: { accept: 'text/event-stream' },
    })
    await response.body?.cancel()
    await whenIdle(id)
    const [turn] = await everyTurn(id)
    expect(turn).toMatchObject({ status: 'completed', attempt: 1 })
  })
})
