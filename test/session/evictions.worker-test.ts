/**
 * The object dies, at many moments: whatever was accepted ends exactly once, nothing stays running, and clients that come
 * back, or never lost their socket, get everything once. After a crash only the alarm wakes it: no request comes to its help.
 */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, describe, expect, it } from 'vitest'
import { maxFruitlessAttempts } from '../../src/core/decide.ts'
import { isTerminal, type Event } from '../../src/protocol/event.ts'
import { call } from '../edge/edge-client.ts'
import { freezeAndEvict, letGo, watchTimers } from './frozen-object.ts'
import { crash, evict, stubOf } from './object-probe.ts'
import { everyEvent, getSession, getTurn, newSession, runTurn, submit, textOf, whenIdle, words } from './session-client.ts'
import { attach, type SocketClient } from './socket-client.ts'

/** What must hold of every session when it has come to rest. Answers its log. */
async function expectWhole(id: string, turnIds: string[]): Promise<Event[]> {
  const { head, activeTurn, queue } = await whenIdle(id)
  const log = await everyEvent(id)
  expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: head }, (_, index) => index + 1))
  expect({ activeTurn, queue }).toEqual({ activeTurn: null, queue: [] })
  const ends = log.filter(isTerminal).map(({ turnId }) => turnId)
  expect(ends.toSorted()).toEqual(turnIds.toSorted())
  const completed = log.flatMap((event) => (event.type === 'message.completed' ? [event.message.id] : []))
  expect(new Set(completed).size).toBe(completed.length)
  for (const event of log) if (event.type === 'turn.resumed') expect(completed).not.toContain(event.supersedes)
  return log
}

/** The one message that an agent made in this turn. */
function answerIn(log: Event[], turnId: string): string {
  const messages = log.flatMap((event) => (event.type === 'message.completed' && event.turnId === turnId ? [event.message] : []))
  return messages.map(textOf).join('|')
}

async function crashAndWakeByAlarm(id: string): Promise<void> {
  await crash(stubOf(id))
  expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
}

describe('a crash', () => {
  const moments = [0, 3, 10, 21, 30, 42, 60, 85, 130, 200, 300, 450, 600, 800, 1000, 1150, 1200, 1230, 1260, 1290, 1320, 1400]

  it('[TRN4] at any moment of a stream leaves a turn that ends once, with every word once', { timeout: 60_000 }, async () => {
    const attempts = await Promise.all(
      moments.map(async (ms) => {
        const id = await newSession()
        const { turn } = await submit(id, '/stream 60 20')
        await scheduler.wait(ms)
        await crashAndWakeByAlarm(id)
        const log = await expectWhole(id, [turn.id])
        expect({ ms, said: answerIn(log, turn.id) }).toEqual({ ms, said: words(60) })
        const { attempt, status } = await getTurn(id, turn.id)
        expect(status).toBe('completed')
        expect(log.filter(({ type }) => type === 'turn.resumed')).toHaveLength(attempt - 1)
        return attempt
      }),
    )
    expect(attempts.filter((attempt) => attempt === 2).length).toBeGreaterThan(5)
    expect(Math.max(...attempts)).toBe(2)
  })

  it('[TRN4] is followed by an attempt under a new message id, and clients that come back see the whole of it once', async () => {
    await Promise.all(
      [5, 50, 150, 400, 700].map(async (ms) => {
        const id = await newSession()
        const before = await (await attach(id, 0)).ready()
        const { turn } = await submit(id, '/stream 60 20')
        await scheduler.wait(ms)
        await crash(stubOf(id))
        await before.closed()
        const after = await (await attach(id, before.seqs.at(-1) ?? 0)).ready()
        const log = await expectWhole(id, [turn.id])
        await after.until(({ seqs }) => seqs.at(-1) === log.length)
        expect([...before.events, ...after.events]).toEqual(log)
        const resumed = log.find((event) => event.type === 'turn.resumed')
        const [message] = log.flatMap((event) => (event.type === 'message.completed' ? [event.message] : []))
        expect(message?.id).not.toBe(resumed?.supersedes)
        expect(after.streamed(message?.id ?? '')).toBe(words(60))
        for (const frame of before.frames) if (frame.type === 'delta') expect(frame.messageId).toBe(resumed?.supersedes)
      }),
    )
  })

  it('[TRN4] again and again ends the turn as interrupted, with what was said and saved', { timeout: 30_000 }, async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 1000 20')
    for (let attempt = 0; attempt < maxFruitlessAttempts; attempt++) {
      await scheduler.wait(100)
      await crashAndWakeByAlarm(id)
    }
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'running', attempt: 1 + maxFruitlessAttempts })
    // What is being said is kept every two seconds.
    await scheduler.wait(2_500)
    await crashAndWakeByAlarm(id)
    const log = await expectWhole(id, [turn.id])
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'interrupted', attempt: 1 + maxFruitlessAttempts })
    const said = answerIn(log, turn.id)
    expect(said.length).toBeGreaterThan(words(50).length)
    expect(words(1000).startsWith(said)).toBe(true)
    expect(log.at(-2)).toMatchObject({ type: 'message.completed', message: { finishReason: 'interrupted' } })
  })

  it('[TRN4] of a turn that is cancelled before anything woke ends it as cancelled, once', async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 500 20')
    await crash(stubOf(id))
    expect((await call('POST', `/v1/sessions/${id}/turns/${turn.id}/cancel`)).status).toBe(200)
    await expectWhole(id, [turn.id])
    expect((await getTurn(id, turn.id)).status).toBe('cancelled')
  })

  it('[TRN3] between the making of a session and its first turn loses nothing', async () => {
    const id = await newSession({ title: 'kept', instructions: 'be brief', tags: ['x'] })
    const made = await getSession(id)
    await crash(stubOf(id))
    expect(await getSession(id)).toEqual(made)
    await crash(stubOf(id))
    const { turn } = await runTurn(id, '/stream 3 0')
    await expectWhole(id, [turn.id])
  })

  it('[TRN2] while turns wait loses none, and they run in their order', { timeout: 30_000 }, async () => {
    await Promise.all(
      [0, 40, 200, 500].map(async (ms) => {
        const id = await newSession()
        const turnIds: string[] = []
        for (let turn = 1; turn <= 6; turn++) turnIds.push((await submit(id, `/stream ${turn + 10} 20`)).turn.id)
        await scheduler.wait(ms)
        await crashAndWakeByAlarm(id)
        await scheduler.wait(350)
        await crashAndWakeByAlarm(id)
        const log = await expectWhole(id, turnIds)
        expect(log.flatMap((event) => (event.type === 'turn.started' ? [event.turnId] : []))).toEqual(turnIds)
        for (const [index, turnId] of turnIds.entries()) expect(answerIn(log, turnId)).toBe(words(index + 11))
      }),
    )
  })

  it('[TRN9] keeps a steered input, which is consumed by the attempt that follows', async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 40 20')
    await submit(id, 'other way', 'steer')
    await crashAndWakeByAlarm(id)
    const log = await expectWhole(id, [turn.id])
    const steered = log.filter((event) => event.type === 'message.completed' && event.message.role === 'user')
    expect(steered).toHaveLength(1)
    expect(answerIn(log, turn.id)).toContain('Steered: other way')
  })

  it('[LOG3] an object that crashed and one that never did answer the same', async () => {
    const id = await newSession({ title: 'x', metadata: { a: [1] } })
    for (let turn = 0; turn < 40; turn++) await runTurn(id, turn % 7 === 0 ? '/fail on purpose' : `/bytes ${turn + 1}`)
    const paths = ['', '/turns?limit=200', '/messages?limit=200', '/context', '/events?limit=200']
    const answers = () => Promise.all(paths.map(async (path) => (await call('GET', `/v1/sessions/${id}${path}`)).json()))
    const before = await answers()
    await crash(stubOf(id))
    expect(await answers()).toEqual(before)
  })

  it('[TRN6] forgets no idempotency key: the repeat gets the first turn', async () => {
    const id = await newSession()
    const body = { input: '/bytes 1' }
    const once = async (key: string) => {
      const response = await call('POST', `/v1/sessions/${id}/turns`, { body, headers: { 'idempotency-key': key } })
      const { turn } = (await response.json()) as { turn: { id: string } }
      return { turnId: turn.id, isReplayed: response.headers.get('idempotent-replayed') }
    }
    const first = await once('first')
    for (let turn = 0; turn < 40; turn++) await runTurn(id, '/bytes 1')
    const last = await once('last')
    await crash(stubOf(id))
    expect(await once('first')).toEqual({ ...first, isReplayed: 'true' })
    expect(await once('last')).toEqual({ ...last, isReplayed: 'true' })
  })
})

describe('an eviction', () => {
  let unwatch = () => {}
  afterEach(() => unwatch())

  it.each(['hibernate', 'close'] as const)('[TRN3] asked for while a turn runs (sockets: %s) lets it end once', async (webSockets) => {
    await Promise.all(
      [0, 10, 30, 100, 400, 700].map(async (ms) => {
        const id = await newSession()
        const client = await (await attach(id, 0)).ready()
        const { turn } = await submit(id, '/stream 30 20')
        await scheduler.wait(ms)
        await evict(stubOf(id), webSockets)
        const log = await expectWhole(id, [turn.id])
        expect(answerIn(log, turn.id)).toBe(words(30))
        await client.until(({ seqs }) => seqs.length === log.length)
        expect(client.events).toEqual(log)
        if (webSockets === 'close') return expect(await client.closed()).not.toBeNull()
        const next = await runTurn(id, '/stream 2 0')
        await client.until(({ seqs }) => seqs.length === log.length + 4)
        expect(client.events).toEqual(await expectWhole(id, [turn.id, next.turn.id]))
      }),
    )
  })

  it.each([30, 110, 250, 600])('[ATT6] in mid-stream, %i ms into it, leaves sockets that get everything once', async (ms) => {
    unwatch = watchTimers()
    const id = await newSession()
    await letGo(stubOf(id))
    const [byZero, byHead] = [await (await attach(id, 0)).ready(), await (await attach(id)).ready()]
    const { turn } = await submit(id, '/stream 60 20')
    await scheduler.wait(ms)
    await freezeAndEvict(stubOf(id))
    unwatch()
    expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
    const log = await expectWhole(id, [turn.id])
    expect(log.filter(({ type }) => type === 'turn.resumed')).toHaveLength(1)
    await expectEverythingOnce(byZero, log, log)
    await expectEverythingOnce(byHead, log.slice(1), log)
  })
})

async function expectEverythingOnce(client: SocketClient, events: Event[], log: Event[]): Promise<void> {
  await client.until(({ seqs }) => seqs.at(-1) === log.length)
  expect(client.closeCode).toBeNull()
  expect(client.events).toEqual(events)
  expect(client.readies).toHaveLength(1)
  const [message] = log.flatMap((event) => (event.type === 'message.completed' ? [event.message] : []))
  expect(client.streamed(message?.id ?? '')).toBe(words(60))
}
