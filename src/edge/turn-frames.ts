/** Which of a session's frames belong to one turn, and when that turn has nothing more to say. Pure. */
import type { DeltaFrame, ReadyFrame, ServerFrame } from '../protocol/frame.ts'
import { sseFrame, type SseFrame } from './sse.ts'

const terminalTypes = new Set<string>(['turn.completed', 'turn.failed', 'turn.cancelled', 'turn.interrupted'])

export class TurnFrames {
  readonly #turnId: string
  #isReady = false
  #isEnded = false

  constructor(turnId: string) {
    this.#turnId = turnId
  }

  /** The turn finished, or waits for a person. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** What of this frame the turn's stream passes on. */
  take(frame: ServerFrame, text: string): SseFrame[] {
    if (this.#isEnded) return []
    if (frame.type === 'ready') return this.#takeReady(frame)
    if (frame.type === 'delta') return frame.turnId === this.#turnId ? [sseFrame(frame, text)] : []
    if (frame.type !== 'event' || !('turnId' in frame.event) || frame.event.turnId !== this.#turnId) return []
    const type: string = frame.event.type
    // In a replay an old wait may be over long since: `ready` says whether the turn still waits.
    this.#isEnded = terminalTypes.has(type) || (type === 'turn.waiting' && this.#isReady)
    return [sseFrame(frame, text)]
  }

  #takeReady({ session, partial }: ReadyFrame): SseFrame[] {
    this.#isReady = true
    const { activeTurn, queue } = session
    if (activeTurn?.id !== this.#turnId) this.#isEnded = queue.every((turn) => turn.id !== this.#turnId)
    else this.#isEnded = activeTurn.status === 'waiting'
    return partial?.turnId === this.#turnId ? deltasOf(partial).map((delta) => sseFrame(delta)) : []
  }
}

/** The message so far, as deltas from the beginning: a turn's stream has no other way to say it. */
function deltasOf({ turnId, messageId, parts }: NonNullable<ReadyFrame['partial']>): DeltaFrame[] {
  return parts.flatMap((part, index): DeltaFrame[] => {
    const delta = { type: 'delta', turnId, messageId, part: index, offset: 0 } as const
    if (part.type === 'text' || part.type === 'reasoning') return [{ ...delta, kind: part.type, text: part.text }]
    // A call's input is text while it is being written; a finished one comes whole with its message.
    return part.type === 'tool-call' && typeof part.input === 'string' ? [{ ...delta, kind: 'tool-input', text: part.input }] : []
  })
}
