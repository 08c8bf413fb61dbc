/** One event to every socket of a session: the time from sending the command until the last of them has the event. */
import type { BenchServer } from './bench-server.ts'
import { BenchSession, createSession } from './bench-session.ts'
import { inTurn, type Bench, type Scenario } from './bench.ts'
import type { Figure } from './figure.ts'
import { summarize } from './samples.ts'

const audiences = [100, 1000]
const rounds = 20
const warmUps = 3
const attachesAtOnce = 20
const broadcastMs = 30_000

export const broadcast: Scenario = {
  name: 'broadcast',
  async run(bench) {
    const server = await bench.raw()
    const figures: Figure[] = []
    for (const sockets of audiences) figures.push(await measure(server, sockets, bench))
    return figures
  },
}

async function measure(server: BenchServer, sockets: number, bench: Bench): Promise<Figure> {
  const id = await createSession(server)
  const audience: BenchSession[] = []
  await inTurn(Array.from({ length: sockets }), attachesAtOnce, async () => {
    audience.push(await BenchSession.attach(server, id))
    bench.progress(`broadcast: ${audience.length} of ${sockets} sockets`)
  })
  const samples: number[] = []
  for (let round = -warmUps; round < rounds; round++) {
    const ms = await once(audience, `round ${round}`)
    if (round >= 0) samples.push(ms)
  }
  for (const member of audience) member.close()
  const summary = summarize(samples)
  const note = `one command, one event, the client reads all sockets in one process; p95 ${summary.p95.toFixed(1)} ms`
  return {
    name: `one event to ${sockets.toLocaleString('en')} sockets p50`,
    value: summary.p50,
    unit: 'ms',
    bar: null,
    note,
    samples: summary,
  }
}

function once(audience: BenchSession[], title: string): Promise<number> {
  const [speaker] = audience
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const patience = setTimeout(() => reject(new Error(`${waiting} sockets have not had an event`)), broadcastMs)
    let waiting = audience.length
    for (const member of audience) {
      member.watch((text) => {
        if (!text.includes('"type":"session.updated"') || --waiting > 0) return
        clearTimeout(patience)
        resolve(performance.now() - startedAt)
      })
    }
    speaker?.command({ type: 'update', patch: { title } })
  })
}
