/**
 * How long one turn takes over a socket, from sending the command to receiving the terminal event, and whether that depends
 * on how many messages came before. The sizes are measured in rounds, one turn of each in a random order, so that whatever
 * disturbs the machine disturbs all of them alike.
 */
import { BenchSession } from './bench-session.ts'
import { shuffled, type Bench, type Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'
import { summarize, type Summary } from './samples.ts'

const rounds = 240
const warmUpRounds = 20
const maxRatio = 1.1
/** A small session soon is no longer small: each gives so many turns, then the next one takes its place. */
const turnsOfOneSmall = 16
const sizes = { small: 10, middle: 1000, large: 10_000 }

export const turnLatency: Scenario = {
  name: 'turn-latency',
  async run(bench) {
    const lanes = await openLanes(bench)
    for (let round = -warmUpRounds; round < rounds; round++) {
      bench.progress(`turn latency: round ${Math.max(0, round)} of ${rounds}`)
      for (const lane of shuffled(lanes, bench.random)) {
        const ms = await lane.next().turn()
        if (round >= 0) lane.samples.push(ms)
      }
    }
    bench.lastTurnAt = Date.now()
    for (const lane of lanes) lane.close()
    return figures(lanes.map(({ samples }) => summarize(samples)))
  },
}

class Lane {
  readonly samples: number[] = []
  readonly #sessions: BenchSession[]
  readonly #turnsOfOne: number
  #turns = 0

  constructor(sessions: BenchSession[], turnsOfOne: number) {
    this.#sessions = sessions
    this.#turnsOfOne = turnsOfOne
  }

  next(): BenchSession {
    const session = this.#sessions[Math.floor(this.#turns++ / this.#turnsOfOne)]
    if (!session) throw new Error('Too few sessions were made')
    return session
  }

  close(): void {
    for (const session of this.#sessions) session.close()
  }
}

async function openLanes(bench: Bench): Promise<Lane[]> {
  const turns = rounds + warmUpRounds
  const smallSessions = Math.ceil(turns / turnsOfOneSmall)
  return [
    new Lane(await attachAll(bench, sizes.small, smallSessions), turnsOfOneSmall),
    new Lane(await attachAll(bench, sizes.middle, 1), turns),
    new Lane(await attachAll(bench, sizes.large, 1), turns),
  ]
}

async function attachAll(bench: Bench, messages: number, count: number): Promise<BenchSession[]> {
  const ids = await bench.sessionsOf(messages, count)
  const server = await bench.raw()
  return Promise.all(ids.map((id) => BenchSession.attach(server, id)))
}

function figures([small, middle, large]: Summary[]): Figure[] {
  if (!small || !middle || !large) throw new Error('A size was not measured')
  const ratio = large.p50 / small.p50
  return [
    latency(sizes.small, small),
    latency(sizes.middle, middle),
    latency(sizes.large, large),
    { name: 'turn latency p50, 1,000 : 10 messages', value: middle.p50 / small.p50, unit: '×', bar: null },
    { name: 'turn latency p50, 10,000 : 10 messages', value: ratio, unit: '×', bar: atMost(maxRatio, ratio) },
  ]
}

function latency(messages: number, samples: Summary): Figure {
  const note = `p95 ${samples.p95.toFixed(2)}, p99 ${samples.p99.toFixed(2)} ms; one turn at a time, raw workerd`
  return { name: `turn latency p50 at ${messages.toLocaleString('en')} messages`, value: samples.p50, unit: 'ms', bar: null, note, samples }
}
