/** Attaching over real sockets to the real object: replay, large answers, hibernation, streams entered in the middle. */
import { describe, expect, it, vi } from 'vitest'
import type { Event } from '../../src/protocol/event.ts'
import { tokenOf } from '../edge/edge-client.ts'
import { crash, evict, stubOf } from './object-probe.ts'
import { everyEvent, newSession, runTurn, submit, textOf, whenIdle, words } from './session-client.ts'
import { attach, type SocketClient } from './socket-client.ts'

async function sessionOfTurns(turns: number): Promise<{ id: string; log: Event[] }> {
  const id = await newSession()
  for (let turn = 0; turn < turns; turn++) await runTurn(id, '/stream 3 0')
  return { id, log: await everyEvent(id) }
}

describe('replay', () => {
  it('[ATT1] gives hello, every event after any seq once and in order, and then one ready', async () => {
    const { id, log } = await sessionOfTurns(12)
    for (let after = 0; after <= log.length; after++) {
      const client = await (await attach(id, after)).ready()
      expect(client.frames.map(({ type }) => type)).toEqual(['hello', ...log.slice(after).map(() => 'event'), 'ready'])
      expect(client.events).toEqual(log.slice(after))
      expect(client.readies[0]).toMatchObject({ head: log.length, partial: null, session: { id, head: log.length } })
      client.socket.close(1000)
    }
  })

  it('[ATT1] begins at the head where after is omitted or says so', async () => {
    const { id, log } = await sessionOfTurns(1)
    for (const after of [undefined, 'head'] as const) {
      const client = await (await attach(id, after)).ready()
      expect(client.frames.map(({ type }) => type)).toEqual(['hello', 'ready'])
      await runTurn(id, '/stream 2 0')
      await client.until(({ seqs }) => seqs.length === 4)
      expect(client.seqs[0]).toBe(client.readies[0]?.head === undefined ? 0 : client.readies[0].head + 1)
    }
    expect((await everyEvent(id)).length).toBe(log.length + 8)
  })

  it('[ATT1] sockets that attach while turns run have no gap and no double', async () => {
    const { id } = await sessionOfTurns(3)
    const running = Array.from({ length: 10 }, () => submit(id, '/stream 5 5'))
    const clients: SocketClient[] = []
    for (let index = 0; index < 20; index++) {
      clients.push(await attach(id, index % 5))
      await scheduler.wait(15)
    }
    await Promise.all(running)
    await whenIdle(id)
    const log = await everyEvent(id)
    for (const [index, client] of clients.entries()) {
      await client.until(({ seqs }) => seqs.at(-1) === log.length)
      expect(client.events).toEqual(log.slice(index % 5))
      expect(client.readies).toHaveLength(1)
    }
  })

  it('[ATT1] replays a history of large events whole to a client that reads', { timeout: 60_000 }, async () => {
    const id = await newSession()
    for (const bytes of [3_000_000, 6_000_000, 100]) await runTurn(id, `/bytes ${bytes}`)
    const client = await (await attach(id, 0)).ready()
    expect(client.events).toEqual(await everyEvent(id))
  })

  it('[ATT5] does not cut a client that reads, because the last event it must replay is large', { timeout: 60_000 }, async () => {
    const id = await newSession()
    await runTurn(id, '/bytes 6000000')
    const client = await attach(id, 0)
    await client.until(({ readies, closeCode }) => readies.length > 0 || closeCode !== null)
    expect(client.closeCode).toBeNull()
  })
})

describe('a large answer', () => {
  it.each([3_000_000, 16_000_000])(
    '[ATT5] of %i bytes reaches a client that reads, live and to its end',
    { timeout: 60_000 },
    async (bytes) => {
      const id = await newSession()
      const client = await (await attach(id, 0)).ready()
      await submit(id, `/bytes ${bytes}`)
      await client.until(({ seqs, closeCode }) => seqs.length === 5 || closeCode !== null, 30_000)
      expect(client.closeCode).toBeNull()
      const [message] = client.events.flatMap((event) => (event.type === 'message.completed' ? [event.message] : []))
      expect(client.streamed(message?.id ?? '') === textOf(message ?? { parts: [] })).toBe(true)
    },
  )
})

describe('in mid-stream', () => {
  it('[ATT3] a socket that attaches while words stream gets what was said, and the rest, and no word twice', async () => {
    const id = await newSession()
    const { turn } = await submit(id, '/stream 80 20')
    const attached: SocketClient[] = []
    for (let index = 0; index < 20; index++) {
      await scheduler.wait(43)
      attached.push(await (await attach(id, 0)).ready())
    }
    await whenIdle(id)
    const clients = attached.filter(({ readies }) => readies[0]?.partial)
    expect(clients.length).toBeGreaterThanOrEqual(10)
    const log = await everyEvent(id)
    const message = log.find((event) => event.type === 'message.completed')?.message
    if (!message) throw new Error('No message')
    expect(textOf(message)).toBe(words(80))
    for (const client of clients) {
      await client.until(({ seqs }) => seqs.length === log.length)
      expect(client.events).toEqual(log)
      expect(client.streamed(message.id)).toBe(words(80))
      expect(client.readies[0]?.partial).toMatchObject({ turnId: turn.id, messageId: message.id })
      // Each delta goes on exactly where the text before it ended: nothing needed to be cut.
      let end = textOf(client.readies[0]?.partial ?? { parts: [] }).length
      for (const frame of client.frames) {
        if (frame.type !== 'delta') continue
        expect(frame.offset).toBe(end)
        end += frame.text.length
      }
    }
  })
})

describe('hibernation', () => {
  it('[ATT6] a socket of an evicted object gets every later event once and in order', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0)).ready()
    for (let round = 0; round < 3; round++) {
      await evict(stubOf(id))
      await runTurn(id, '/stream 5 5')
    }
    const log = await everyEvent(id)
    await client.until(({ seqs }) => seqs.at(-1) === log.length)
    expect(client.events).toEqual(log)
    expect(client.readies).toHaveLength(1)
    for (const event of log) if (event.type === 'message.completed') expect(client.streamed(event.message.id)).toBe(words(5))
  })

  it('[ATT6] a command over a socket wakes the object that was evicted', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'write' }))).ready()
    await evict(stubOf(id))
    expect(await client.ask({ id: 1, type: 'turn', input: '/stream 3 0' })).toMatchObject({ ok: true })
    await client.until(({ seqs }) => seqs.at(-1) === 5)
    expect(client.events.find(({ type }) => type === 'turn.queued')?.by).toMatchObject({ kind: 'token' })
  })

  it('[ATT6] ping is answered pong and wakes nobody', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0)).ready()
    await evict(stubOf(id))
    const info = vi.spyOn(console, 'info')
    client.socket.send('ping')
    await client.until(({ texts }) => texts.at(-1) === 'pong')
    expect(info.mock.calls.filter(([line]) => String(line).includes('session.woke'))).toEqual([])
    await runTurn(id, '/bytes 1')
    expect(info.mock.calls.filter(([line]) => String(line).includes('session.woke'))).toHaveLength(1)
    info.mockRestore()
  })

  it('[ATT6] a client that closes sees its own code, awake or not', async () => {
    const id = await newSession()
    const [first, second] = [await (await attach(id)).ready(), await (await attach(id)).ready()]
    first.socket.close(3001, 'mine')
    expect(await first.closed()).toBe(3001)
    await evict(stubOf(id))
    second.socket.close(3002, 'mine')
    expect(await second.closed()).toBe(3002)
  })

  it('[ATT1] a client that lost its socket in a crash resumes by its last seq', async () => {
    const id = await newSession()
    const first = await (await attach(id, 0)).ready()
    await runTurn(id, '/stream 3 0')
    await first.until(({ seqs }) => seqs.length === 5)
    await crash(stubOf(id))
    await first.closed()
    const second = await (await attach(id, 5)).ready()
    await runTurn(id, '/stream 3 0')
    await second.until(({ seqs }) => seqs.length === 4)
    expect([...first.events, ...second.events]).toEqual(await everyEvent(id))
  })
})
