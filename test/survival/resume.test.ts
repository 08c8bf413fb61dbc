import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunningServer } from '../server/running-server.ts'
import { SessionApi } from '../server/session-api.ts'
import { Random } from '../simulation/random.ts'
import { CutFollower, type Channel, type CutBudget } from './cut-follower.ts'
import { drawSeed } from './seed.ts'

const cuts = 1000
const followers: Record<Channel, number> = { socket: 20, stream: 5 }

let server: RunningServer

beforeAll(async () => {
  server = await RunningServer.start()
}, 120_000)

afterAll(() => server?.stop())

function attachAll(channel: Channel, seed: number, budget: CutBudget): Promise<CutFollower[]> {
  return Promise.all(
    Array.from({ length: followers[channel] }, (_, index) => CutFollower.attach(server, channel, new Random(seed + index), budget)),
  )
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

test('[ATT3] clients cut at 1,000 random deltas end with the very text and the very log', async () => {
  const seed = drawSeed('resume')
  const budget = { left: cuts }
  const bySocket = await attachAll('socket', seed, budget)
  const byStream = await attachAll('stream', seed + 1000, budget)
  const all = [...bySocket, ...byStream]
  await Promise.all(all.map((follower) => follower.run()))

  expect(
    all.flatMap(({ transcript }) => transcript.faults),
    `SEED=${seed}`,
  ).toEqual([])
  expect(
    all.flatMap((follower) => follower.wrongAnswers()),
    `SEED=${seed}`,
  ).toEqual([])
  const api = new SessionApi(server)
  for (const { sessionId, transcript } of all) expect(transcript.events).toEqual(await api.events(sessionId))

  // The cuts fell where they were meant to: in the middle of messages, of which many were then followed to their end.
  for (const [channel, some] of Object.entries({ socket: bySocket, stream: byStream })) {
    const attaches = sum(some.map(({ transcript }) => transcript.attaches - 1))
    const resumed = sum(some.map(({ transcript }) => transcript.resumedMessages))
    const verified = sum(some.map(({ transcript }) => transcript.verifiedMessages))
    console.info(
      `${channel}: ${attaches} times back, ${resumed} of them in the middle of a known message; ${verified} messages followed to their end`,
    )
    expect(resumed).toBeGreaterThan(attaches / 2)
    expect(verified).toBeGreaterThan(some.length)
  }
  expect(sum(all.map(({ transcript }) => transcript.attaches))).toBeGreaterThanOrEqual(cuts)
  expect(server.logLines().filter((line) => line.level === 'error')).toEqual([])
}, 240_000)
