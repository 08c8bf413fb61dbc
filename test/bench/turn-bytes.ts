/**
 * Bytes on the wire for one turn: what the client that submits it sends, and what somebody who looks on receives. Exact
 * counts, headers of the frames included. That the onlooker gets this turn and nothing else is checked frame by frame.
 */
import { BenchSession, turnInput } from './bench-session.ts'
import type { Bench, Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'

const sizes = [10, 1000]
const maxBytesBesideInput = 400
/** Numbers in the events have more digits in a longer history; nothing else may grow. */
const maxGrowthBytes = 64

interface Bytes {
  messages: number
  sent: number
  received: number
  /** Frames that are neither an event nor a delta of this very turn. */
  foreign: number
}

export const turnBytes: Scenario = {
  name: 'turn-bytes',
  async run(bench) {
    const all: Bytes[] = []
    for (const messages of sizes) all.push(await measure(bench, messages))
    return all.flatMap(figures).concat(growth(all))
  },
}

async function measure(bench: Bench, messages: number): Promise<Bytes> {
  const server = await bench.raw()
  const [id] = await bench.sessionsOf(messages, 1)
  if (id === undefined) throw new Error('No session was made')
  const speaker = await BenchSession.attach(server, id)
  const onlooker = await BenchSession.attach(server, id)
  const before = { sent: speaker.socket.bytesSent, received: onlooker.socket.bytesReceived }
  const seen = framesOfTurn(onlooker)
  await speaker.turn()
  const frames = await seen
  const bytes = { sent: speaker.socket.bytesSent - before.sent, received: onlooker.socket.bytesReceived - before.received }
  for (const session of [speaker, onlooker]) session.close()
  return { messages, ...bytes, foreign: frames.filter((frame) => !belongs(frame, frames)).length }
}

/** Everything up to the turn's last event. */
function framesOfTurn(onlooker: BenchSession): Promise<string[]> {
  const frames: string[] = []
  return new Promise((resolve) => {
    onlooker.watch((text) => {
      frames.push(text)
      if (text.includes('"type":"turn.completed"')) resolve(frames)
    })
  })
}

function belongs(frame: string, frames: string[]): boolean {
  const [, turnId] = /"turnId":"(trn_\w+)"/.exec(frames.at(-1) ?? '') ?? []
  const isOfKind = frame.startsWith('{"type":"event"') || frame.startsWith('{"type":"delta"')
  return isOfKind && turnId !== undefined && frame.includes(`"turnId":"${turnId}"`)
}

function figures({ messages, sent, received, foreign }: Bytes): Figure[] {
  const at = `at ${messages.toLocaleString('en')} messages`
  const limit = Buffer.byteLength(turnInput) + maxBytesBesideInput
  return [
    {
      name: `bytes a client sends per turn ${at}`,
      value: sent,
      unit: 'B',
      bar: atMost(limit, sent),
      note: `the input is ${turnInput.length} bytes`,
    },
    { name: `bytes a second viewer receives per turn ${at}`, value: received, unit: 'B', bar: null },
    { name: `frames a second viewer receives beside the turn ${at}`, value: foreign, unit: '', bar: atMost(0, foreign) },
  ]
}

function growth([small, large]: Bytes[]): Figure[] {
  if (!small || !large) return []
  const grown = large.received - small.received
  return [{ name: "growth of a second viewer's bytes, 10 to 1,000 messages", value: grown, unit: 'B', bar: atMost(maxGrowthBytes, grown) }]
}
