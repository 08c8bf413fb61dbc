/**
 * How long words take from the provider to a client that watches: the provider puts its clock into them as they leave, and
 * the client reads its own as the frame with them arrives. Both processes run on this machine and so share a clock. The first
 * words of a step leave at once; later ones may wait a little for more to join them.
 */
import type { Answer } from '../upstream/answer.ts'
import type { Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'
import { summarize, type Summary } from './samples.ts'

const turns = 100
const warmUps = 10
const turnsOfOneSession = 10
const maxFirstMs = 30
/** Words wait so long for more to join them, at most. */
const maxLaterMs = 40
/** Longer than anything waits: the second words are alone in their frame. */
const pauseMs = 150
const model = 'first-delta'
const answer: Answer = { pieces: [{ type: 'clock' }, { type: 'pause', ms: pauseMs }, { type: 'clock' }, { type: 'pause', ms: pauseMs }] }
const clocks = /<(\d+\.\d+)>/g

export const firstDelta: Scenario = {
  name: 'first-delta',
  async run(bench) {
    const delays: number[][] = []
    const world = await bench.models()
    await world.script(model, [answer], turns + warmUps)
    for (let turn = -warmUps; turn < turns; turn += turnsOfOneSession) {
      const session = await world.session(model)
      for (let each = turn; each < turn + turnsOfOneSession; each++) {
        bench.progress(`first delta: turn ${Math.max(0, each)} of ${turns}`)
        const heard: number[] = []
        await session.turn((frame) => heard.push(...delaysIn(frame)), 'What time is it?')
        if (each >= 0) delays.push(heard)
      }
      session.close()
    }
    return figures(delays)
  },
}

/** Of the words in a delta, how long each has been under way. */
function delaysIn(frame: string): number[] {
  if (!frame.startsWith('{"type":"delta"')) return []
  const now = performance.timeOrigin + performance.now()
  return [...frame.matchAll(clocks)].map(([, sentAt]) => now - Number(sentAt))
}

function figures(delays: readonly number[][]): Figure[] {
  if (delays.some(({ length }) => length !== 2)) throw new Error('An answer did not arrive in two deltas')
  const [first, later] = [0, 1].map((index) => summarize(delays.map((delay) => delay[index] ?? Number.NaN)))
  if (!first || !later) throw new Error('Nothing was heard')
  return [
    ...figuresOf("provider's first chunk to client's first delta", first, atMost(maxFirstMs, first.p50)),
    ...figuresOf('a chunk after a pause to its delta', later, atMost(maxLaterMs, later.p50)),
  ]
}

function figuresOf(name: string, samples: Summary, bar: Figure['bar']): Figure[] {
  const note = 'clocks of two processes on one machine'
  return [
    { name: `${name} p50`, value: samples.p50, unit: 'ms', bar, note, samples },
    { name: `${name} p95`, value: samples.p95, unit: 'ms', bar: null },
  ]
}
