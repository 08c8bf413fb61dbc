import { describe, expect, it } from 'vitest'
import { call, callJson, createSession, readEvents, readSession, tokenOf, type ProblemJson, type SseEvent } from './edge-client.ts'

interface Receipt {
  turn: { id: string; status: string }
  seq: number
}
interface MessageJson {
  role: string
  turnId: string
  parts: { type: string; text?: string }[]
}

const sse = { accept: 'text/event-stream' }
const typesOf = (events: SseEvent[]) => events.flatMap(({ frame }) => (frame.event ? [frame.event.type] : []))
const seqsOf = (events: SseEvent[]) => events.flatMap(({ frame }) => (frame.event ? [frame.event.seq] : []))
const isTerminal = ({ frame }: SseEvent) => /^turn\.(completed|failed|cancelled|interrupted)$/.test(frame.event?.type ?? '')
const isReady = ({ type }: SseEvent) => type === 'ready'

async function submit(id: string, input: string): Promise<Receipt> {
  const { response, json } = await callJson<Receipt>('POST', `/v1/sessions/${id}/turns`, { body: { input } })
  expect(response.status).toBe(202)
  return json
}

async function finish(id: string, input: string): Promise<Receipt> {
  const { response, json } = await callJson<Receipt>('POST', `/v1/sessions/${id}/turns?wait=30`, { body: { input } })
  expect(response.status).toBe(200)
  return json
}

/** The text that a stream's deltas build, by message: a tail is appended, an overlap is checked, a gap fails. */
function textOf(events: SseEvent[]): string {
  let text = ''
  for (const { type, frame } of events) {
    if (type !== 'delta') continue
    const offset = Number(frame['offset'])
    const piece = String(frame['text'])
    expect(offset).toBeLessThanOrEqual(text.length)
    expect(text.slice(offset)).toBe(piece.slice(0, text.length - offset))
    text = text.slice(0, offset) + piece
  }
  return text
}

function words(count: number): string {
  return Array.from({ length: count }, (_, i) => `w${i + 1}`).join(' ')
}

describe('a turn as a stream', () => {
  it('[TRN3] submits and streams from queued to completed, then ends', async () => {
    const { id } = await createSession()
    const response = await call('POST', `/v1/sessions/${id}/turns`, { body: { input: '/stream 20 5' }, headers: sse })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(Number(response.headers.get('dormouse-head'))).toBeGreaterThan(1)
    const events = await readEvents(response)
    expect(typesOf(events)).toEqual(['turn.queued', 'turn.started', 'message.completed', 'turn.completed'])
    expect(events.every(({ type }) => type === 'event' || type === 'delta')).toBe(true)
    expect(events.every(({ id: eventId, frame }) => eventId === (frame.event ? String(frame.event.seq) : null))).toBe(true)
    expect(textOf(events).trim()).toBe(words(20))
  })

  it('[TRN6] the same key gives the same turn, streamed again', async () => {
    const { id } = await createSession()
    const options = { body: { input: 'hello' }, headers: { ...sse, 'idempotency-key': 'once' } }
    const first = await readEvents(await call('POST', `/v1/sessions/${id}/turns`, options))
    const again = await call('POST', `/v1/sessions/${id}/turns`, options)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const replayed = await readEvents(again)
    expect(seqsOf(replayed)).toEqual(seqsOf(first))
    expect(typesOf(replayed).at(-1)).toBe('turn.completed')
  })

  it('[TRN7] a client that goes away changes nothing about its turn, and finds it again by its last event', async () => {
    const { id } = await createSession()
    const response = await call('POST', `/v1/sessions/${id}/turns`, { body: { input: '/stream 40 10' }, headers: sse })
    const seen = await readEvents(response, ({ type }) => type === 'delta')
    const turnId = seen[0]?.frame.event?.turnId ?? ''
    const headers = { ...sse, 'last-event-id': String(seqsOf(seen).at(-1)) }
    const rest = await readEvents(await call('GET', `/v1/sessions/${id}/turns/${turnId}`, { headers }))
    expect(typesOf(rest)).toEqual(['message.completed', 'turn.completed'])
    expect(textOf(rest).trim()).toBe(words(40))
  })

  it('[ATT1] a finished turn streams again from its beginning, and ends', async () => {
    const { id } = await createSession()
    const { turn } = await finish(id, 'one')
    await finish(id, 'two')
    const path = `/v1/sessions/${id}/turns/${turn.id}`
    const again = await readEvents(await call('GET', path, { headers: sse }))
    expect(typesOf(again)).toEqual(['turn.queued', 'turn.started', 'message.completed', 'turn.completed'])
    expect(again.every(({ frame }) => frame.event?.turnId === turn.id)).toBe(true)
    const lastSeq = String(seqsOf(again).at(-1))
    expect(await readEvents(await call('GET', path, { headers: { ...sse, 'last-event-id': lastSeq } }))).toEqual([])
  })

  it('[TRN1] a turn that waits in line is streamed alone, without the words of the one before it', async () => {
    const { id } = await createSession()
    await submit(id, '/stream 30 10')
    const response = await call('POST', `/v1/sessions/${id}/turns`, { body: { input: '/stream 3 0' }, headers: sse })
    const events = await readEvents(response)
    expect(typesOf(events)).toEqual(['turn.queued', 'turn.started', 'message.completed', 'turn.completed'])
    expect(textOf(events).trim()).toBe(words(3))
  })
})

describe('waiting for a turn', () => {
  it('[TRN3] answers the turn and its messages when it has finished', async () => {
    const { id } = await createSession()
    const { response, json } = await callJson<Receipt & { messages: MessageJson[] }>('POST', `/v1/sessions/${id}/turns?wait=30`, {
      body: { input: '/stream 5 1' },
    })
    expect(response.status).toBe(200)
    expect(json.turn.status).toBe('completed')
    expect(json.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
    expect(json.messages[1]?.parts[0]?.text?.trim()).toBe(words(5))
  })

  it('[TRN7] answers a receipt when the time is over, and the turn goes on', async () => {
    const { id } = await createSession()
    const startedAt = Date.now()
    const { response, json } = await callJson<Receipt>('POST', `/v1/sessions/${id}/turns?wait=1`, { body: { input: '/stream 300 10' } })
    expect(response.status).toBe(202)
    expect(Date.now() - startedAt).toBeLessThan(3_000)
    expect(json.turn.status).toBe('running')
    const cancelled = await callJson<Receipt['turn']>('POST', `/v1/sessions/${id}/turns/${json.turn.id}/cancel`)
    expect([cancelled.response.status, cancelled.json.status]).toEqual([200, 'cancelled'])
  })
})

describe('a session as a stream', () => {
  it('[ATT1] hello, everything after the seq, one ready, then live', async () => {
    const { id } = await createSession()
    await finish(id, 'one')
    const head = (await readSession(id)).head
    const response = await call('GET', `/v1/sessions/${id}/events?after=1`, { headers: sse })
    const later = new Promise<Receipt>((resolve) => setTimeout(() => resolve(submit(id, 'two')), 300))
    const events = await readEvents(response, isTerminalAfter(head))
    await later
    expect(events[0]).toMatchObject({
      type: 'hello',
      id: null,
      frame: { type: 'hello', protocol: 1, sessionId: id, head, access: 'operator' },
    })
    expect(events.filter(isReady)).toHaveLength(1)
    const place = events.findIndex(isReady)
    expect(seqsOf(events.slice(0, place))).toEqual(range(2, head))
    expect(seqsOf(events)).toEqual(range(2, Number(seqsOf(events).at(-1))))
    expect(seqsOf(events.slice(place))[0]).toBe(head + 1)
  })

  it('[ATT1] a history of many pages comes whole and in order, without a double where pages and socket meet', async () => {
    const { id } = await createSession()
    for (let i = 0; i < 230; i++) await call('PATCH', `/v1/sessions/${id}`, { body: { title: `title ${i}` } })
    const head = (await readSession(id)).head
    expect(head).toBe(231)
    const events = await readEvents(await call('GET', `/v1/sessions/${id}/events`, { headers: sse }), isReady)
    expect(seqsOf(events)).toEqual(range(1, head))
    expect(events.map(({ type }) => type).filter((type) => type === 'hello')).toHaveLength(1)
  })

  it('[ATT1] Last-Event-ID wins over after; head means from now on', async () => {
    const { id } = await createSession()
    await finish(id, 'one')
    const head = (await readSession(id)).head
    const resumed = await call('GET', `/v1/sessions/${id}/events?after=0`, { headers: { ...sse, 'last-event-id': String(head - 1) } })
    expect(seqsOf(await readEvents(resumed, isReady))).toEqual([head])
    const live = await readEvents(await call('GET', `/v1/sessions/${id}/events?after=head`, { headers: sse }), isReady)
    expect(live.map(({ type }) => type)).toEqual(['hello', 'ready'])
  })

  it('[ATT2] the data of an event is the very frame of the socket', async () => {
    const { id } = await createSession({ title: 'a title', instructions: 'secret orders', tags: ['t'] })
    await finish(id, 'one')
    const head = (await readSession(id)).head
    const paged = await readFrames(await call('GET', `/v1/sessions/${id}/events?after=1`, { headers: sse }))
    const socket = await call('GET', `/v1/sessions/${id}/socket?after=1`, { headers: { upgrade: 'websocket' } })
    const texts = await collectFrames(socket.webSocket, head)
    expect(paged.filter((text) => text.startsWith('{"type":"event"'))).toEqual(texts.filter((text) => text.startsWith('{"type":"event"')))
    expect(paged[0]).toBe(texts[0])
  })

  it('[SEC4] session tokens see no instructions, in no way of reading', async () => {
    const { id } = await createSession({ instructions: 'secret orders' })
    await call('PATCH', `/v1/sessions/${id}`, { body: { instructions: 'secret orders, changed' } })
    const credential = await tokenOf({ sessionId: id, access: 'approve' })
    for (const path of ['', '/events', '/messages', '/export', '/turns']) {
      const text = await (await call('GET', `/v1/sessions/${id}${path}`, { credential })).text()
      expect(text, path).not.toContain('secret orders')
    }
    const events = await readEvents(await call('GET', `/v1/sessions/${id}/events`, { credential, headers: sse }), isReady)
    expect(JSON.stringify(events)).not.toContain('secret orders')
    expect(JSON.stringify(events)).toContain('session.created')
  })

  it('[ATT5] revoking the tokens ends their streams, and closes them to new ones', async () => {
    const { id } = await createSession()
    const credential = await tokenOf({ sessionId: id, access: 'read' })
    const response = await call('GET', `/v1/sessions/${id}/events`, { credential, headers: sse })
    const ended = readEvents(response)
    expect((await call('DELETE', `/v1/sessions/${id}/tokens`)).status).toBe(204)
    await ended
    const { response: refused, json } = await callJson<ProblemJson>('GET', `/v1/sessions/${id}`, { credential })
    expect([refused.status, json.code]).toEqual([401, 'unauthorized'])
  })

  it('[ATT1] a session that is not there is a problem, not a stream', async () => {
    for (const path of ['/events', '/events?after=head']) {
      const { response, json } = await callJson<ProblemJson>('GET', `/v1/sessions/ses_00000000000000000000000000${path}`, { headers: sse })
      expect([response.status, json.code], path).toEqual([404, 'not_found'])
    }
  })
})

function isTerminalAfter(head: number) {
  return (event: SseEvent) => isTerminal(event) && (event.frame.event?.seq ?? 0) > head
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** Texts of a stream's frames up to its `ready`. */
async function readFrames(response: Response): Promise<string[]> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (/^event: ready\n[^]*\n\n$/m.test(text)) break
  }
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, frame = '']) => frame)
}

/** Texts of a socket's frames up to the event of this seq. */
function collectFrames(socket: WebSocket | null, head: number): Promise<string[]> {
  return new Promise((resolve) => {
    const texts: string[] = []
    socket?.addEventListener('message', ({ data: text }) => {
      texts.push(String(text))
      if (!String(text).includes(`"seq":${head},`)) return
      resolve(texts)
      socket.close(1000, 'done')
    })
    socket?.accept()
  })
}
