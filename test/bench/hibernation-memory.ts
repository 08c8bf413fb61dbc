/**
 * What a thousand sessions cost that are attached and asleep. They have a server of their own, so that nothing else is in
 * its memory. That they sleep is checked afterwards, on some of them: a frame has to wake the object, as the log tells.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchServer } from './bench-server.ts'
import { BenchSession } from './bench-session.ts'
import { inTurn, type Bench, type Scenario } from './bench.ts'
import type { Figure } from './figure.ts'
import { residentMibOf } from './process-cost.ts'
import { RawWorkerd } from './raw-workerd.ts'

const sessions = 1000
const warmUps = 20
/** An object hibernates after 10 s without anything to do, and has told the index before. */
const asleepMs = 15_000
const sessionsToWake = 10

export const hibernationMemory: Scenario = {
  name: 'hibernation-memory',
  async run(bench) {
    const server = await RawWorkerd.start()
    try {
      return await measure(server, bench)
    } finally {
      await server.stop()
    }
  },
}

async function measure(server: BenchServer, bench: Bench): Promise<Figure[]> {
  for (let i = 0; i < warmUps; i++) {
    const session = await BenchSession.create(server)
    await session.turn()
    session.close()
  }
  const before = residentMibOf(server.workerds())
  const all = await openSessions(server, bench)
  const awake = residentMibOf(server.workerds())
  for (let left = asleepMs; left > 0; left -= 1000) {
    bench.progress(`memory: ${left / 1000} s until ${sessions} sessions sleep`)
    await sleep(1000)
  }
  const asleep = residentMibOf(server.workerds())
  await requireSleep(server, all.slice(0, sessionsToWake))
  for (const session of all) session.close()
  return figures({ before, awake, asleep })
}

async function openSessions(server: BenchServer, bench: Bench): Promise<BenchSession[]> {
  const all: BenchSession[] = []
  await inTurn(Array.from({ length: sessions }), 8, async () => {
    const session = await BenchSession.create(server)
    await session.turn()
    all.push(session)
    bench.progress(`memory: ${all.length} of ${sessions} sessions`)
  })
  return all
}

async function requireSleep(server: BenchServer, sample: BenchSession[]): Promise<void> {
  const logged = server.logText().length
  for (const session of sample) await session.turn()
  await sleep(50)
  const log = server.logText().slice(logged)
  const woken = sample.filter(({ id }) => log.split('\n').some((line) => line.includes('"event":"session.woke"') && line.includes(id)))
  if (woken.length < sample.length) throw new Error(`${sample.length - woken.length} of ${sample.length} sessions were not asleep`)
}

function figures({ before, awake, asleep }: { before: number; awake: number; asleep: number }): Figure[] {
  const perSession = ((asleep - before) * 1024) / sessions
  const note = 'resident memory of workerd; each session had one turn and has one attached socket'
  return [
    { name: 'memory with no session', value: before, unit: 'MiB', bar: null, note: 'after a warm-up' },
    { name: `memory with ${sessions} sessions, just used`, value: awake, unit: 'MiB', bar: null, note },
    { name: `memory with ${sessions} sessions, asleep`, value: asleep, unit: 'MiB', bar: null, note: `idle for ${asleepMs / 1000} s` },
    { name: 'memory of one session asleep', value: perSession, unit: 'KiB', bar: null, note: 'its socket included' },
  ]
}
