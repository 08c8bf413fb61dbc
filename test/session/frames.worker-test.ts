/** Frames that clients send: each is checked, executed, and answered once under its own id. */
import { describe, expect, it } from 'vitest'
import { call, tokenOf } from '../edge/edge-client.ts'
import { everyEvent, newSession, whenIdle, type Receipt } from './session-client.ts'
import { attach } from './socket-client.ts'

const commands = [
  { type: 'turn', input: 'hello' },
  { type: 'cancel', turnId: `trn_${'0'.repeat(26)}` },
  { type: 'approve', approvalId: `apr_${'0'.repeat(26)}`, decision: 'allow' },
  { type: 'compact' },
  { type: 'undoCompaction', compactionId: `cmp_${'0'.repeat(26)}` },
  { type: 'rewind', toSeq: 1 },
  { type: 'unrewind' },
  { type: 'checkpoint', label: 'here' },
  { type: 'update', patch: { title: 'mine' } },
]

describe('frames', () => {
  it('[SEC2] a read token is refused every command with forbidden, and stores nothing by trying', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read' }))).ready()
    for (const [index, command] of commands.entries()) {
      const reply = await client.ask({ id: index, ...command })
      expect(reply).toMatchObject({ id: index, ok: false, error: { code: 'forbidden', retryable: false } })
    }
    expect(await everyEvent(id)).toHaveLength(1)
    expect(client.closeCode).toBeNull()
  })

  it('[SEC2] a write token may change the title, but not agent, model, instructions, archived or settings', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'write' }))).ready()
    const patches = [{ agent: 'demo' }, { model: 'x' }, { instructions: 'x' }, { archived: true }, { settings: {} }]
    for (const [index, patch] of patches.entries()) {
      const reply = await client.ask({ id: index, type: 'update', patch: { title: 'taken', ...patch } })
      expect(reply).toMatchObject({ ok: false, error: { code: 'forbidden' } })
    }
    expect(await client.ask({ id: 'title', type: 'update', patch: { title: 'mine' } })).toMatchObject({
      ok: true,
      result: { title: 'mine' },
    })
  })

  it('[ATT1] every command gets one reply under its own id, a number or a string, and its result', async () => {
    const id = await newSession()
    const client = await (await attach(id)).ready()
    const reply = await client.ask({ id: 7, type: 'turn', input: '/stream 30 20' })
    const { turn } = (reply.ok ? reply.result : null) as Receipt
    expect(turn).toMatchObject({ status: 'running', source: 'socket', input: [{ type: 'text', text: '/stream 30 20' }] })
    expect(await client.ask({ id: 'cancel it', type: 'cancel', turnId: turn.id })).toMatchObject({
      ok: true,
      result: { status: 'cancelled' },
    })
    expect(await client.ask({ id: 'again', type: 'cancel', turnId: turn.id })).toMatchObject({ ok: true, result: { status: 'cancelled' } })
    const unknown = { id: 'unknown', type: 'cancel', turnId: `trn_${'0'.repeat(26)}` }
    expect(await client.ask(unknown)).toMatchObject({ ok: false, error: { code: 'not_found' } })
    await scheduler.wait(100)
    expect(client.frames.filter(({ type }) => type === 'reply')).toHaveLength(4)
  })

  it('[TRN6] the same key over a socket and over HTTP is the same command', async () => {
    const id = await newSession()
    const client = await (await attach(id)).ready()
    const first = await client.ask({ id: 1, key: 'once', type: 'turn', input: '/bytes 1' })
    const again = await client.ask({ id: 2, key: 'once', type: 'turn', input: '/bytes 1' })
    const { turn, seq } = (first.ok ? first.result : null) as Receipt
    expect(again).toMatchObject({ ok: true, result: { turn: { id: turn.id }, seq } })
    const headers = { 'idempotency-key': 'once' }
    const overHttp = await call('POST', `/v1/sessions/${id}/turns`, { body: { input: '/bytes 1' }, headers })
    expect(overHttp.headers.get('idempotent-replayed')).toBe('true')
    expect(await client.ask({ id: 3, key: 'once', type: 'turn', input: 'else' })).toMatchObject({ error: { code: 'idempotency_conflict' } })
    await whenIdle(id)
    expect((await everyEvent(id)).filter(({ type }) => type === 'turn.queued')).toHaveLength(1)
  })

  it('[ATT1] a bad frame is answered with invalid_request under its id or null, and a binary one too', async () => {
    const client = await (await attach(await newSession())).ready()
    client.socket.send('{nonsense')
    expect(await client.reply(null)).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
    expect(await client.ask({ id: 'a', type: 'dance' })).toMatchObject({ error: { code: 'invalid_request' } })
    expect(await client.ask({ id: 'b', type: 'turn' })).toMatchObject({ error: { code: 'invalid_request' } })
    expect(await client.ask({ id: 'c', type: 'turn', input: 'x', extra: 1 })).toMatchObject({ error: { code: 'invalid_request' } })
    client.socket.send(new Uint8Array([1, 2, 3]))
    await client.until(({ frames }) => frames.filter((frame) => frame.type === 'reply' && frame.id === null).length === 2)
    expect(client.closeCode).toBeNull()
  })

  it('[SEC5] twenty bad frames in a row are borne, one more closes 4400; a good one between starts the count again', async () => {
    const client = await (await attach(await newSession())).ready()
    for (const round of ['first', 'second']) {
      for (let frame = 0; frame < 20; frame++) client.socket.send('bad')
      expect(await client.ask({ id: round, type: 'update', patch: {} })).toMatchObject({ ok: true })
    }
    for (let frame = 0; frame <= 20; frame++) client.socket.send(new Uint8Array(1))
    expect(await client.closed()).toBe(4400)
    expect(client.frames.filter(({ type }) => type === 'reply')).toHaveLength(2 + 3 * 20 + 1)
  })

  it('[SEC5] a frame above 2 MiB is refused and the socket goes on', async () => {
    const client = await (await attach(await newSession())).ready()
    client.socket.send('x'.repeat(2 * 1024 * 1024 + 1))
    expect(await client.reply(null)).toMatchObject({ error: { code: 'payload_too_large' } })
    expect(await client.ask({ id: 1, type: 'update', patch: {} })).toMatchObject({ ok: true })
  })

  it('[SEC2] session tokens see no instructions: not in events, not in ready, not in live events, not in replies', async () => {
    const secret = 'only-for-keys'
    const id = await newSession({ title: 'x', instructions: `${secret} at first` })
    await call('PATCH', `/v1/sessions/${id}`, { body: { instructions: `${secret} then` } })
    const byToken = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'approve' }))).ready()
    const byKey = await (await attach(id, 0)).ready()
    await call('PATCH', `/v1/sessions/${id}`, { body: { instructions: `${secret} at last` } })
    await byToken.ask({ id: 1, type: 'update', patch: { title: 'y' } })
    await byKey.until(({ seqs }) => seqs.length === 4)
    expect(byToken.seqs).toEqual([1, 2, 3, 4])
    expect(byToken.texts.filter((text) => text.includes(secret))).toEqual([])
    expect(byKey.texts.filter((text) => text.includes(secret))).toHaveLength(4)
  })
})
