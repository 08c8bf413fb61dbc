import { describe, expect, it } from 'vitest'
import { call, callJson, createSession, newSessionId, tokenOf, type CallOptions, type ProblemJson } from './edge-client.ts'

interface Opened {
  response: Response
  /** Frames so far, parsed. */
  frames: { type: string; [field: string]: unknown }[]
  next(type: string): Promise<{ type: string; [field: string]: unknown }>
  closed: Promise<{ code: number; reason: string }>
  socket: WebSocket
}

async function open(path: string, options: CallOptions = {}): Promise<Opened> {
  const response = await call('GET', path, { ...options, headers: { upgrade: 'websocket', ...options.headers } })
  const socket = response.webSocket
  if (!socket) throw new Error(`no socket, but status ${response.status}`)
  const frames: Opened['frames'] = []
  const closed = new Promise<{ code: number; reason: string }>((resolve) => socket.addEventListener('close', resolve))
  const waiting: (() => void)[] = []
  socket.addEventListener('message', ({ data: text }) => {
    frames.push(JSON.parse(String(text)) as Opened['frames'][number])
    for (const wake of waiting.splice(0)) wake()
  })
  socket.accept()
  const next = async (type: string) => {
    for (;;) {
      const found = frames.find((frame) => frame.type === type)
      if (found) return found
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }
  return { response, frames, next, closed, socket }
}

const socketPath = (id: string) => `/v1/sessions/${id}/socket`

describe('sockets', () => {
  it('[ATT1] a session greets, replays, is ready, and runs what the socket submits', async () => {
    const { id, head } = await createSession()
    const { next, frames, socket, response } = await open(`${socketPath(id)}?after=0`)
    expect(response.status).toBe(101)
    expect(await next('hello')).toMatchObject({ sessionId: id, head, access: 'operator' })
    await next('ready')
    expect(frames.map(({ type }) => type)).toEqual(['hello', 'event', 'ready'])
    socket.send(JSON.stringify({ id: 1, type: 'turn', input: 'hello' }))
    expect(await next('reply')).toMatchObject({ id: 1, ok: true })
    socket.close(1000, 'done')
  })

  it('[SEC2] the token may come as a subprotocol, and only dormouse.v1 comes back', async () => {
    const { id } = await createSession()
    const token = await tokenOf({ sessionId: id, access: 'read' })
    const headers = { 'sec-websocket-protocol': `dormouse.v1, bearer.${token}` }
    const { next, response, socket } = await open(socketPath(id), { credential: null, headers })
    expect(response.headers.get('sec-websocket-protocol')).toBe('dormouse.v1')
    expect(await next('hello')).toMatchObject({ access: 'read' })
    socket.send(JSON.stringify({ id: 'x', type: 'turn', input: 'hello' }))
    expect(await next('reply')).toMatchObject({ id: 'x', ok: false, error: { code: 'forbidden' } })
    socket.close(1000, 'done')
  })

  it('[ATT1] without after, and without a subprotocol offered, it begins from now on and answers none', async () => {
    const { id } = await createSession()
    for (const path of [socketPath(id), `${socketPath(id)}?after=head`]) {
      const { next, frames, response, socket } = await open(path)
      await next('ready')
      expect(frames.map(({ type }) => type)).toEqual(['hello', 'ready'])
      expect(response.headers.get('sec-websocket-protocol')).toBeNull()
      socket.close(1000, 'done')
    }
  })

  it("[ATT1] PartyKit's address is the same socket; its connection id is ignored", async () => {
    const { id } = await createSession()
    const { next, socket } = await open(`/parties/session/${id}?_pk=made-up&after=0`)
    expect(await next('hello')).toMatchObject({ sessionId: id })
    socket.close(1000, 'done')
  })

  it('[SEC2] a refused handshake opens and closes at once with its code', async () => {
    const { id } = await createSession()
    const expired = await tokenOf({ sessionId: id, access: 'read', expiresAt: Date.now() - 1 })
    const cases: [string, CallOptions, number][] = [
      [socketPath(id), { credential: null }, 4401],
      [socketPath(id), { credential: 'nonsense' }, 4401],
      [socketPath(id), { credential: expired }, 4401],
      [socketPath(id), { credential: await tokenOf({ sessionId: newSessionId(), access: 'read' }) }, 4403],
      [socketPath(newSessionId()), {}, 4404],
      [socketPath('ses_x'), {}, 4400],
      [`${socketPath(id)}?after=99`, {}, 4400],
      [`${socketPath(id)}?after=x`, {}, 4400],
      [`${socketPath(id)}?token=x`, {}, 4400],
      [`${socketPath(id)}?_pk=x`, {}, 4400],
    ]
    for (const [path, options, code] of cases) {
      const headers = { 'sec-websocket-protocol': 'dormouse.v1' }
      const { closed, response, frames } = await open(path, { ...options, headers })
      expect((await closed).code, `${path} ${JSON.stringify(options)}`).toBe(code)
      expect(response.headers.get('sec-websocket-protocol')).toBe('dormouse.v1')
      expect(frames).toEqual([])
    }
  })

  it('[ATT1] without an upgrade the address answers a problem', async () => {
    const { id } = await createSession()
    const { response, json } = await callJson<ProblemJson>('GET', socketPath(id))
    expect([response.status, json.code]).toEqual([400, 'invalid_request'])
  })

  it('[SEC1] a name beyond ASCII reaches the session unharmed', async () => {
    const { id } = await createSession()
    const body = { access: 'write', expiresInSeconds: 60, name: 'Zoë 🐭' }
    const { json } = await callJson<{ token: string }>('POST', `/v1/sessions/${id}/tokens`, { body })
    const { next, socket } = await open(socketPath(id), { credential: json.token })
    await next('ready')
    socket.send(JSON.stringify({ id: 1, type: 'turn', input: 'hello' }))
    expect(await next('event')).toMatchObject({ event: { type: 'turn.queued', by: { kind: 'token', name: 'Zoë 🐭' } } })
    socket.close(1000, 'done')
  })
})
