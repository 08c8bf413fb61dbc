/**
 * Turns a second over fifty sessions that are all busy: each submits its next turn when the last has ended. Measured on raw
 * workerd and under `wrangler dev`. The client is on the same machine and takes its share of the processors; the figures of
 * CPU time say how much.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchServer } from './bench-server.ts'
import { BenchSession } from './bench-session.ts'
import { inTurn, type Bench, type Scenario } from './bench.ts'
import { atLeast, type Figure } from './figure.ts'
import { cpuMsOf, ownCpuMs } from './process-cost.ts'
import { RawWorkerd } from './raw-workerd.ts'
import { WranglerDev } from './wrangler-dev.ts'

const sessions = 50
const warmUpMs = 2000
const measuredMs = 10_000
const minTurnsPerSecond = 700

export const turnRate: Scenario = {
  name: 'turn-rate',
  async run(bench) {
    const raw = await measure('raw workerd', await bench.raw(), bench)
    bench.lastTurnAt = Date.now()
    const disk = await measureNew('raw workerd, state on disk', RawWorkerd.start({ below: bench.diskFolder }), bench)
    const dev = await measureNew('wrangler dev', WranglerDev.start(), bench)
    return [...figures(raw, minTurnsPerSecond), ...figures(disk, null), ...figures(dev, null)]
  },
}

interface Rate {
  of: string
  turnsPerSecond: number
  serverCpuMsPerTurn: number
  clientCpuMsPerTurn: number
}

async function measureNew(of: string, starting: Promise<BenchServer>, bench: Bench): Promise<Rate> {
  bench.progress(`turn rate: starting ${of}`)
  const server = await starting
  try {
    return await measure(of, server, bench)
  } finally {
    await server.stop()
  }
}

async function measure(of: string, server: BenchServer, bench: Bench): Promise<Rate> {
  const all: BenchSession[] = []
  await inTurn(Array.from({ length: sessions }), 8, async () => void all.push(await BenchSession.create(server)))
  const count = { turns: 0, isOver: false }
  const drivers = all.map((session) => drive(session, count))
  await sleep(warmUpMs)
  const rate = await watch(of, server, bench, count)
  count.isOver = true
  await Promise.all(drivers)
  for (const session of all) session.close()
  return rate
}

interface Count {
  turns: number
  isOver: boolean
}

async function drive(session: BenchSession, count: Count): Promise<void> {
  for (; !count.isOver; count.turns++) await session.turn()
}

async function watch(of: string, server: BenchServer, bench: Bench, count: Count): Promise<Rate> {
  const pids = server.workerds()
  const before = { at: performance.now(), turns: count.turns, serverCpuMs: cpuMsOf(pids), clientCpuMs: ownCpuMs() }
  for (let ms = 0; ms < measuredMs; ms += 1000) {
    bench.progress(`turn rate, ${of}: ${count.turns - before.turns} turns in ${ms / 1000} s`)
    await sleep(1000)
  }
  const done = count.turns - before.turns
  return {
    of,
    turnsPerSecond: (done * 1000) / (performance.now() - before.at),
    serverCpuMsPerTurn: (cpuMsOf(pids) - before.serverCpuMs) / done,
    clientCpuMsPerTurn: (ownCpuMs() - before.clientCpuMs) / done,
  }
}

function figures({ of, turnsPerSecond, serverCpuMsPerTurn, clientCpuMsPerTurn }: Rate, bar: number | null): Figure[] {
  const note = `client on the same machine: ${clientCpuMsPerTurn.toFixed(2)} ms of CPU a turn`
  const met = bar === null ? null : atLeast(bar, turnsPerSecond)
  return [
    { name: `turns/s over ${sessions} sessions, ${of}`, value: turnsPerSecond, unit: '/s', bar: met, note },
    { name: `CPU of the server per turn, ${of}`, value: serverCpuMsPerTurn, unit: 'ms', bar: null },
  ]
}
