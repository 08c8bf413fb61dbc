import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunningServer } from '../server/running-server.ts'
import { SessionApi } from '../server/session-api.ts'
import { SessionSocket } from '../server/session-socket.ts'
import { SessionStream } from '../server/session-stream.ts'
import { Random } from '../simulation/random.ts'
import { faultsOfLog } from './log-verdict.ts'
import { drawSeed } from './seed.ts'
import { overHttp, overSocket, Writer } from './writer.ts'

const kills = 10
const sessions = 4
const roundMs = { least: 200, most: 1800 }
/** A lease runs for 30 s, and a turn that was cut is told to the index 2 s after its end. */
const indexMs = 60_000
/** Created, queued, started: where a session stands that runs its first turn. */
const seqOfStart = 3

let server: RunningServer
let api: SessionApi

beforeAll(async () => {
  server = await RunningServer.start()
  api = new SessionApi(server)
}, 120_000)

afterAll(() => server?.stop())

/** One session with everybody who uses it. */
interface Company {
  sessionId: string
  sockets: SessionSocket[]
  stream: SessionStream
  writers: Writer[]
}

async function gather(seed: number): Promise<Company> {
  const { id } = await api.createSession()
  const sockets = [new SessionSocket(server, id), new SessionSocket(server, id)]
  const stream = new SessionStream(server, id)
  await Promise.all(sockets.map((socket) => socket.attach()))
  void stream.follow()
  const ways = [overHttp(api, id), ...sockets.slice(0, 1).map(overSocket)]
  const writers = ways.map((send, index) => new Writer(`writer-${index}`, id, send, new Random(seed + index)))
  return { sessionId: id, sockets, stream, writers }
}

async function killAgainAndAgain(random: Random): Promise<void> {
  for (let round = 0; round < kills; round++) {
    await sleep(random.between(roundMs.least, roundMs.most))
    await server.kill()
    await server.restart()
  }
}

/** A turn that is cut in its middle, in a session that nobody asks for until the end. */
async function abandon(): Promise<string> {
  const { id } = await api.createSession()
  await api.submitTurn(id, { input: '/stream 100 30' })
  return id
}

async function isListedAsEnded(sessionId: string): Promise<boolean> {
  const listed = (await api.summaries()).find(({ id }) => id === sessionId)
  return listed !== undefined && listed.status === 'idle' && listed.head > seqOfStart
}

/** Sessions whose line in the index is not what their log says. */
async function staleInIndex(heads: Map<string, number>): Promise<string[]> {
  const listed = new Map((await api.summaries()).map(({ id, head, status }) => [id, `${head} ${status}`]))
  return [...heads].flatMap(([id, head]) =>
    listed.get(id) === `${head} idle` ? [] : [`${id} is listed as ${listed.get(id)}, not ${head}`],
  )
}

test('[LOG2] what was acknowledged outlives SIGKILL at random moments, and every client ends with the very log', async () => {
  const seed = drawSeed('kill')
  const random = new Random(seed)
  const companies = await Promise.all(Array.from({ length: sessions }, (_, index) => gather(seed + 100 * index)))
  const writers = companies.flatMap((company) => company.writers)
  const writing = Promise.all(writers.map((writer) => writer.run()))
  const abandoned = await abandon()

  await killAgainAndAgain(random)
  for (const writer of writers) writer.stop()
  await writing

  const heads = new Map<string, number>()
  for (const { sessionId, sockets, stream, writers: authors } of companies) {
    const { head } = await api.atRest(sessionId)
    heads.set(sessionId, head)
    const events = await api.events(sessionId)
    expect(
      faultsOfLog(
        events,
        authors.flatMap((writer) => writer.acknowledged),
      ),
      `SEED=${seed}`,
    ).toEqual([])
    for (const { transcript } of [...sockets, stream]) {
      await expect.poll(() => transcript.cursor, { timeout: 20_000 }).toBe(head)
      expect(transcript.faults, `SEED=${seed}`).toEqual([])
      expect(transcript.events).toEqual(events)
    }
  }
  expect(writers.flatMap((writer) => writer.contradictions)).toEqual([])

  // Only its alarm can have ended the abandoned turn: reading the index wakes no session.
  await expect.poll(() => isListedAsEnded(abandoned), { timeout: indexMs }).toBe(true)
  const abandonedEvents = await api.events(abandoned)
  expect(faultsOfLog(abandonedEvents, [])).toEqual([])
  expect(abandonedEvents.filter((event) => event.type === 'turn.resumed').length).toBeGreaterThan(0)
  heads.set(abandoned, abandonedEvents.length)
  await expect.poll(() => staleInIndex(heads), { timeout: indexMs }).toEqual([])

  await Promise.all(companies.flatMap(({ sockets }) => sockets.map((socket) => socket.leave())))
  for (const { stream } of companies) stream.leave()
  // The kills hit a server at work.
  const resumed = companies.flatMap(({ sockets }) => sockets[0]?.transcript.events.filter((event) => event.type === 'turn.resumed') ?? [])
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  console.info(
    `${kills} kills: ${acknowledged.length} commands acknowledged, ${resumed.length} turns resumed, heads ${[...heads.values()].join(', ')}`,
  )
  expect(resumed.length).toBeGreaterThanOrEqual(kills)
  expect(acknowledged.length).toBeGreaterThan(10 * kills)
  expect(server.logLines().filter((line) => line.level === 'error')).toEqual([])
}, 300_000)
