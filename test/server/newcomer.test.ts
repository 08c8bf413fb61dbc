import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import type { Session } from '../../src/protocol/session.ts'
import type { Turn } from '../../src/protocol/turn.ts'
import { RunningServer } from './running-server.ts'
import { SessionSocket } from './session-socket.ts'
import { SseParser, type StreamedEvent } from './session-stream.ts'

const run = promisify(execFile)

let server: RunningServer

beforeAll(async () => {
  server = await RunningServer.start()
}, 120_000)

afterAll(() => server?.stop())

async function curl(pathname: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('curl', [
    '-sS',
    '-N',
    '--max-time',
    '30',
    '-H',
    `Authorization: Bearer ${server.key}`,
    ...args,
    server.url + pathname,
  ])
  return stdout
}

function postJson(pathname: string, body: object, ...args: string[]): Promise<string> {
  return curl(pathname, '-H', 'Content-Type: application/json', '-d', JSON.stringify(body), ...args)
}

/** What `npm start` prints for its reader to paste. */
async function printedConversation(): Promise<string> {
  const module = JSON.stringify(path.resolve(import.meta.dirname, '../../src/local/welcome.js'))
  const script = `import { welcome } from ${module}; console.log(welcome(${JSON.stringify(server.url)}, ${JSON.stringify(server.key)}, { folder: '', log: '' }))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  return stdout
    .split('\n')
    .filter((line) => /^ +(KEY=|SESSION=|curl )/.test(line))
    .join('\n')
}

function eventTypes(stream: StreamedEvent[]): string[] {
  return stream.map(({ data }) => JSON.parse(data) as ServerFrame).flatMap((frame) => (frame.type === 'event' ? [frame.event.type] : []))
}

function streamedText(stream: StreamedEvent[]): string {
  const frames = stream.map(({ data }) => JSON.parse(data) as ServerFrame)
  return frames.map((frame) => (frame.type === 'delta' ? frame.text : '')).join('')
}

const plainTurn = ['turn.queued', 'turn.started', 'message.completed', 'turn.completed']

test('[ATT1] the conversation that `npm start` prints works as it is pasted', async () => {
  const conversation = await printedConversation()
  expect(conversation.split('\n')).toHaveLength(3)
  const { stdout } = await run('sh', ['-c', conversation])
  const stream = new SseParser().push(stdout)
  expect(eventTypes(stream)).toEqual(plainTurn)
  expect(streamedText(stream)).toContain('Hello, Dormouse!')
})

test('[ATT1] with curl alone: create, a turn as a stream, the same turn again, the log; and the socket tells the same', async () => {
  const session = JSON.parse(await postJson('/v1/sessions', { title: 'First' })) as Session
  const turns = `/v1/sessions/${session.id}/turns`
  const key = ['-H', 'Idempotency-Key: hello-1']
  const first = new SseParser().push(await postJson(turns, { input: 'Hello 👋' }, '-H', 'Accept: text/event-stream', ...key))
  expect(eventTypes(first)).toEqual(plainTurn)
  expect(streamedText(first)).toMatch(/^\*\*Demo agent\.\*\* My context holds 1 message\. You said:\n\nHello 👋$/)
  expect(first.flatMap(({ id }) => id ?? [])).toEqual(['2', '3', '4', '5'])

  // The same command again is the same turn, told again.
  const again = new SseParser().push(await postJson(turns, { input: 'Hello 👋' }, '-H', 'Accept: text/event-stream', ...key))
  expect(again.filter(({ id }) => id !== null)).toEqual(first.filter(({ id }) => id !== null))

  const waited = JSON.parse(await postJson(`${turns}?wait=10`, { input: '/stream 3 0' })) as { turn: Turn }
  expect(waited.turn.status).toBe('completed')
  const since = await curl(`${turns}/${waited.turn.id}`, '-H', 'Accept: text/event-stream', '-H', 'Last-Event-ID: 7')
  expect(eventTypes(new SseParser().push(since))).toEqual(plainTurn.slice(2))

  const log = JSON.parse(await curl(`/v1/sessions/${session.id}/events`)) as { items: unknown[]; head: number }
  const socket = new SessionSocket(server, session.id)
  await socket.attach()
  expect(socket.transcript).toMatchObject({ events: log.items, cursor: 9, faults: [] })
  await socket.leave()
  expect(log.head).toBe(9)
})

test('[SEC4] curl without a key, or with a wrong one, gets a problem that says so and nothing more', async () => {
  const { stdout } = await run('curl', ['-sS', '-i', `${server.url}/v1/sessions`])
  expect(stdout).toMatch(/^HTTP\/1\.1 401/)
  expect(stdout).toMatch(/content-type: application\/problem\+json/i)
  expect(stdout).toContain('"code":"unauthorized"')
  const wrong = await run('curl', ['-sS', '-i', '-H', 'Authorization: Bearer not-the-key', `${server.url}/v1/sessions`])
  expect(wrong.stdout).toMatch(/^HTTP\/1\.1 401/)
  expect(wrong.stdout).not.toContain('not-the-key')
})
