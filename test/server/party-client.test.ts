import PartySocket from 'partysocket'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import { BreakableLine } from './breakable-line.ts'
import { RunningServer } from './running-server.ts'
import { SessionApi } from './session-api.ts'
import { SessionTranscript } from './session-transcript.ts'

let server: RunningServer
let api: SessionApi
let line: BreakableLine

beforeAll(async () => {
  server = await RunningServer.start()
  api = new SessionApi(server)
  line = await BreakableLine.open(server.url)
}, 120_000)

afterAll(async () => {
  line?.close()
  await server?.stop()
})

test('[ATT1] PartyKit’s own client attaches, runs a turn, and resumes where it was when its line breaks', async () => {
  const { id } = await api.createSession()
  const transcript = new SessionTranscript()
  const replies: ServerFrame[] = []
  const socket = new PartySocket({
    host: new URL(line.url).host,
    protocol: 'ws',
    party: 'session',
    room: id,
    query: () => ({ after: String(transcript.cursor) }),
    protocols: ['dormouse.v1', `bearer.${server.key}`],
    minReconnectionDelay: 50,
    maxReconnectionDelay: 200,
  })
  socket.addEventListener('open', () => transcript.begin())
  socket.addEventListener('message', ({ data }) => {
    const frame = JSON.parse(String(data)) as ServerFrame
    if (frame.type === 'reply') replies.push(frame)
    else transcript.take(frame)
  })

  await expect.poll(() => transcript.isReady, { timeout: 20_000 }).toBe(true)
  expect(socket.protocol).toBe('dormouse.v1')
  socket.send(JSON.stringify({ id: 1, key: 'first', type: 'turn', input: '/stream 60 20' }))
  await expect.poll(() => transcript.streamingText, { timeout: 20_000 }).toMatch(/^w1 w2 w3/)
  expect(replies).toMatchObject([{ id: 1, ok: true, result: { turn: { source: 'socket' } } }])

  line.cut()
  await expect.poll(() => transcript.events.at(-1)?.type, { timeout: 20_000 }).toBe('turn.completed')
  expect(transcript).toMatchObject({ faults: [], attaches: 2, resumedMessages: 1, verifiedMessages: 1 })
  expect(transcript.events).toEqual(await api.events(id))
  socket.close()
}, 60_000)

test('[ATT1] a refused PartyKit client is told why by the close code', async () => {
  const closes: number[] = []
  const socket = new PartySocket({
    host: new URL(server.url).host,
    protocol: 'ws',
    party: 'session',
    room: 'ses_00000000000000000000000000',
    protocols: ['dormouse.v1', `bearer.${server.key}`],
    shouldReconnectOnClose: ({ code }) => code < 4400 || code > 4499,
  })
  socket.addEventListener('close', ({ code }) => closes.push(code))
  await expect.poll(() => closes, { timeout: 20_000 }).toEqual([4404])
  socket.close()
}, 30_000)
