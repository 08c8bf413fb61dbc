import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test, type ExpectStatic } from 'vitest'
import { RunningServer } from './running-server.ts'
import { SessionApi } from './session-api.ts'
import { SessionSocket, type Closing } from './session-socket.ts'

/** The platform lets an object go after 10 s without work; the index is told within 2 s of the last commit. */
const idleMs = 15_000
const pingEveryMs = 3000

let server: RunningServer
let api: SessionApi

beforeAll(async () => {
  server = await RunningServer.start()
  api = new SessionApi(server)
}, 120_000)

afterAll(() => server?.stop())

function wakingsOf(sessionId: string) {
  return server.logLines().filter((line) => line.event === 'session.woke' && line.sessionId === sessionId)
}

async function attached(sessionId: string, count: number): Promise<SessionSocket[]> {
  const sockets = Array.from({ length: count }, () => new SessionSocket(server, sessionId))
  await Promise.all(sockets.map((socket) => socket.attach()))
  return sockets
}

async function idleWithPings(sockets: SessionSocket[]): Promise<number> {
  const until = Date.now() + idleMs
  let pings = 0
  for (; Date.now() + pingEveryMs < until; pings++) {
    await sleep(pingEveryMs)
    for (const socket of sockets) socket.ping()
  }
  await sleep(until - Date.now())
  return pings
}

test.concurrent('[ATT6] idle sockets sleep through pings, and the next turn reaches every one of them', async ({ expect }) => {
  const { id } = await api.createSession()
  const sockets = await attached(id, 5)
  const before = wakingsOf(id).length

  const pings = await idleWithPings(sockets)
  expect(sockets.map((socket) => socket.pongs)).toEqual(sockets.map(() => pings))
  expect(wakingsOf(id)).toHaveLength(before)

  const { seq } = await api.submitTurn(id, { input: 'Is anybody there?' })
  await expect
    .poll(() => sockets.map((socket) => socket.transcript.events.at(-1)?.type), { timeout: 20_000 })
    .toEqual(sockets.map(() => 'turn.completed'))
  // It woke for the turn, with the sockets it had: nothing had woken it before.
  expect(wakingsOf(id).slice(before)).toMatchObject([{ head: seq - 1, sockets: 5 }])
  for (const { transcript, losses } of sockets) {
    expect(transcript).toMatchObject({ faults: [], attaches: 1, verifiedMessages: 1 })
    expect(losses).toEqual([])
  }
}, 90_000)

test.concurrent('[APR1] a turn that waits for a person lets its session sleep, and the answer wakes it with its sockets', async ({
  expect,
}) => {
  const { id } = await api.createSession()
  const sockets = await attached(id, 2)
  await api.submitTurn(id, { input: '/approve Feed the dormouse' })
  await expect.poll(() => sockets.map((socket) => socket.transcript.events.at(-1)?.type)).toEqual(['turn.waiting', 'turn.waiting'])
  const [pending] = (await api.session(id)).pendingApprovals
  const before = wakingsOf(id).length

  const pings = await idleWithPings(sockets)
  expect(sockets.map((socket) => socket.pongs)).toEqual(sockets.map(() => pings))
  expect(wakingsOf(id)).toHaveLength(before)

  await sockets[0]?.command({ type: 'approve', approvalId: pending?.id ?? '', decision: 'allow' }, 'the answer')
  await expect
    .poll(() => sockets.map((socket) => socket.transcript.events.at(-1)?.type), { timeout: 20_000 })
    .toEqual(['turn.completed', 'turn.completed'])
  expect(wakingsOf(id).slice(before)).toMatchObject([{ sockets: 2 }])
  expect(sockets.map(({ losses }) => losses)).toEqual([[], []])
}, 90_000)

async function closings(sockets: SessionSocket[]): Promise<Closing[]> {
  const [own, done, none] = sockets
  return [await own?.leave(4001, 'bye'), await done?.leave(1000, 'done'), await none?.leave()].flatMap((closing) => closing ?? [])
}

/** A close frame without a code is answered with one that has 1000, or with none, which clients show as 1005. */
function expectOwnCodes(expect: ExpectStatic, [own, done, none]: Closing[]): void {
  expect(own).toEqual({ code: 4001, reason: 'bye' })
  expect(done).toEqual({ code: 1000, reason: 'done' })
  expect([1000, 1005]).toContain(none?.code)
}

test.concurrent('[ATT6] a client that closes its socket sees its own code, whether the session is awake or asleep', async ({ expect }) => {
  const [awake, asleep] = await Promise.all([api.createSession(), api.createSession()])
  const [toAwake, toAsleep] = await Promise.all([attached(awake.id, 3), attached(asleep.id, 3)])
  expectOwnCodes(expect, await closings(toAwake))
  await sleep(idleMs)
  const startedAt = performance.now()
  expectOwnCodes(expect, await closings(toAsleep))
  // Unanswered closes end as well, with 1006 and 10 s late.
  expect(performance.now() - startedAt).toBeLessThan(9000)
}, 90_000)
