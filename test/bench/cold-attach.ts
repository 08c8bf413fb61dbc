/**
 * How long a client waits that attaches to an object which is not in memory. The server is killed and started again on
 * the same state, so that nothing at all is in memory; then each session is attached once, the sizes by turns. Alarms that
 * are still due would wake objects ahead of us, so they are waited for first; and the server's own log has to tell one
 * wake for each attach, or the measurement is void.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchServer } from './bench-server.ts'
import { BenchSession } from './bench-session.ts'
import type { Bench, Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'
import { summarize } from './samples.ts'

const sessionsOfASize = 3
const restarts = 10
const maxRatio = 1.2
const maxRowsRead = 64
/** A session's alarm is due 30 s after a commit; firing, it may tell the index. */
const alarmsMs = 35_000
/** The first attaches of a new process compile what reads a history; they are not measured. */
const warmUps = 6
const sizes = { small: 10, warmUp: 1000, large: 10_000 }

interface Attach {
  messages: number
  helloMs: number
  readyMs: number
}

export const coldAttach: Scenario = {
  name: 'cold-attach',
  async run(bench) {
    const server = await bench.raw()
    const pairs = await makePairs(bench)
    const others = await bench.sessionsOf(sizes.warmUp, warmUps)
    await alarmsFired(bench)
    const attaches: Attach[] = []
    const rowsRead: number[] = []
    for (let restart = 0; restart < restarts; restart++) {
      bench.progress(`cold attach: restart ${restart + 1} of ${restarts}`)
      const logged = server.logText().length
      await server.restart()
      for (const id of others) await attachOnce(server, { id, messages: sizes.warmUp })
      // Who goes first alternates.
      for (const pair of pairs)
        for (const target of restart % 2 === 0 ? pair : pair.toReversed()) attaches.push(await attachOnce(server, target))
      await sleep(50)
      rowsRead.push(...wakes(server.logText().slice(logged), pairs.flat()))
    }
    return figures(attaches, rowsRead)
  },
}

interface Target {
  id: string
  messages: number
}

async function makePairs(bench: Bench): Promise<Target[][]> {
  const small = await bench.sessionsOf(sizes.small, sessionsOfASize)
  const large = await bench.sessionsOf(sizes.large, sessionsOfASize)
  return small.map((id, index) => [
    { id, messages: sizes.small },
    { id: large[index] ?? '', messages: sizes.large },
  ])
}

async function alarmsFired(bench: Bench): Promise<void> {
  for (let left = 1; left > 0;) {
    left = bench.lastTurnAt + alarmsMs - Date.now()
    bench.progress(`cold attach: ${Math.ceil(left / 1000)} s until every alarm has fired`)
    await sleep(Math.min(Math.max(left, 0), 1000))
  }
}

async function attachOnce(server: BenchServer, { id, messages }: Target): Promise<Attach> {
  const { socket, helloMs, readyMs } = await BenchSession.attach(server, id)
  socket.close()
  return { messages, helloMs, readyMs }
}

/** Rows that each of these sessions read to wake, as the server logged it. */
function wakes(log: string, targets: Target[]): number[] {
  const ids = new Set(targets.map(({ id }) => id))
  const rowsRead = log
    .split('\n')
    .filter((line) => line.includes('"event":"session.woke"'))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as { sessionId: string; rowsRead: number })
    .filter(({ sessionId }) => ids.has(sessionId))
    .map((line) => line.rowsRead)
  if (rowsRead.length !== targets.length)
    throw new Error(`${targets.length} attaches woke ${rowsRead.length} objects: they were not all cold`)
  return rowsRead
}

function figures(attaches: Attach[], rowsRead: number[]): Figure[] {
  const of = (messages: number, value: (attach: Attach) => number) =>
    summarize(attaches.filter((attach) => attach.messages === messages).map(value))
  const [small, large] = [of(sizes.small, (attach) => attach.readyMs), of(sizes.large, (attach) => attach.readyMs)]
  const [smallHello, largeHello] = [of(sizes.small, (attach) => attach.helloMs), of(sizes.large, (attach) => attach.helloMs)]
  const ratio = large.p50 / small.p50
  const helloRatio = largeHello.p50 / smallHello.p50
  const rows = summarize(rowsRead)
  const note = 'from the handshake, the object not in memory: server killed and restarted, raw workerd'
  return [
    { name: 'cold attach to ready p50 at 10 messages', value: small.p50, unit: 'ms', bar: null, note, samples: small },
    { name: 'cold attach to ready p50 at 10,000 messages', value: large.p50, unit: 'ms', bar: null, note, samples: large },
    { name: 'cold attach to first frame, 10,000 : 10 messages', value: helloRatio, unit: '×', bar: atMost(maxRatio, helloRatio) },
    { name: 'cold attach to ready, 10,000 : 10 messages', value: ratio, unit: '×', bar: atMost(maxRatio, ratio) },
    { name: 'rows read to wake, most', value: rows.max, unit: 'rows', bar: atMost(maxRowsRead, rows.max), samples: rows },
  ]
}
