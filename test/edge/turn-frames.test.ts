import { describe, expect, it } from 'vitest'
import { TurnFrames } from '../../src/edge/turn-frames.ts'
import type { ServerFrame } from '../../src/protocol/frame.ts'

const MINE = 'trn_00000000020123456789ABCDEF'
const OTHER = 'trn_00000000050123456789ABCDEF'

/** Frames as they come from a socket; only what the filter looks at. */
function frame(fields: object): { frame: ServerFrame; text: string } {
  const text = JSON.stringify(fields)
  return { frame: JSON.parse(text) as ServerFrame, text }
}
const event = (type: string, turnId: string, seq = 2) => frame({ type: 'event', event: { seq, type, turnId } })
const delta = (turnId: string) => frame({ type: 'delta', turnId, messageId: 'm', part: 0, kind: 'text', offset: 3, text: 'x' })

function ready({
  active,
  queue = [],
  partial = null,
}: {
  active?: { id: string; status: string }
  queue?: string[]
  partial?: object | null
}) {
  return frame({ type: 'ready', head: 9, session: { activeTurn: active ?? null, queue: queue.map((id) => ({ id })) }, partial })
}

function take(frames: TurnFrames, given: { frame: ServerFrame; text: string }) {
  return frames.take(given.frame, given.text)
}

describe('a turn among the frames of its session', () => {
  it('[TRN3] passes on its own events and deltas, word for word, and ends with its terminal event', () => {
    const frames = new TurnFrames(MINE)
    expect(take(frames, frame({ type: 'hello', head: 3 }))).toEqual([])
    const queued = event('turn.queued', MINE, 2)
    expect(take(frames, queued)).toEqual([{ type: 'event', text: queued.text, seq: 2 }])
    expect(take(frames, event('turn.completed', OTHER))).toEqual([])
    expect(take(frames, frame({ type: 'event', event: { seq: 4, type: 'session.updated', patch: {} } }))).toEqual([])
    expect(take(frames, ready({ active: { id: MINE, status: 'running' } }))).toEqual([])
    expect(take(frames, delta(OTHER))).toEqual([])
    expect(take(frames, delta(MINE))).toMatchObject([{ type: 'delta', seq: null }])
    expect(frames.isEnded).toBe(false)
    expect(take(frames, event('turn.failed', MINE, 8))).toMatchObject([{ seq: 8 }])
    expect(frames.isEnded).toBe(true)
    expect(take(frames, delta(MINE))).toEqual([])
  })

  it('[ATT3] the text so far becomes deltas from the beginning, one for each part', () => {
    const frames = new TurnFrames(MINE)
    const parts = [
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'so' },
      { type: 'tool-call', toolCallId: 'c', toolName: 'made', input: { a: 1 } },
      { type: 'tool-call', toolCallId: 'd', toolName: 'in the making', input: '{"a":' },
    ]
    const taken = take(frames, ready({ active: { id: MINE, status: 'running' }, partial: { turnId: MINE, messageId: 'm', parts } }))
    const said = taken.map(({ text }) => JSON.parse(text) as unknown)
    expect(said).toEqual([
      { type: 'delta', turnId: MINE, messageId: 'm', part: 0, kind: 'reasoning', offset: 0, text: 'hm' },
      { type: 'delta', turnId: MINE, messageId: 'm', part: 1, kind: 'text', offset: 0, text: 'so' },
      { type: 'delta', turnId: MINE, messageId: 'm', part: 3, kind: 'tool-input', offset: 0, text: '{"a":' },
    ])
    expect(take(new TurnFrames(OTHER), ready({ queue: [OTHER], partial: { turnId: MINE, messageId: 'm', parts } }))).toEqual([])
  })

  it('[TRN7] ends at a wait that is still going on, and not at one that is over', () => {
    const live = new TurnFrames(MINE)
    take(live, ready({ active: { id: MINE, status: 'running' } }))
    take(live, event('turn.waiting', MINE))
    expect(live.isEnded).toBe(true)
    const replayed = new TurnFrames(MINE)
    take(replayed, event('turn.waiting', MINE))
    take(replayed, ready({ active: { id: MINE, status: 'running' } }))
    expect(replayed.isEnded).toBe(false)
    const waiting = new TurnFrames(MINE)
    take(waiting, event('turn.waiting', MINE))
    take(waiting, ready({ active: { id: MINE, status: 'waiting' } }))
    expect(waiting.isEnded).toBe(true)
  })

  it('[ATT1] ends when the session no longer has the turn, and stays while it is queued', () => {
    const gone = new TurnFrames(MINE)
    take(gone, ready({ active: { id: OTHER, status: 'running' } }))
    expect(gone.isEnded).toBe(true)
    const queued = new TurnFrames(MINE)
    take(queued, ready({ active: { id: OTHER, status: 'running' }, queue: [MINE] }))
    expect(queued.isEnded).toBe(false)
  })
})
