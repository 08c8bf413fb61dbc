/**
 * What a client knows, kept by the rules of the public contract alone: a cursor, the events up to it, and the message that
 * is streaming. Every frame is checked on its way in: events once and in order, one `ready` for each attach, deltas that
 * follow on from what is known (ATT1 to ATT4).
 */
import { isDeepStrictEqual } from 'node:util'
import * as v from 'valibot'
import type { Level } from '../../src/protocol/access.ts'
import { isTerminal, type Event, type EventOf } from '../../src/protocol/event.ts'
import { ServerFrameSchema, type DeltaFrame, type ReadyFrame, type ServerFrame } from '../../src/protocol/frame.ts'
import type { History } from './history.ts'
import { isStartOf, lengthOf, saidBy, withoutUnfinished, type Said } from './invocation.ts'

interface PartialMessage {
  turnId: string
  messageId: string
  parts: Said[]
  /** False while the client is away: it may then miss the end of the message, but no more. */
  isLive: boolean
}

/** Finish reasons of messages that the end of their turn cut short. */
const cutReasons = new Set(['cancelled', 'interrupted', 'error', 'time-limit'])

export class Transcript {
  /** The last seq seen; null: attached from now on and not told yet where that is. */
  cursor: number | null = null
  isReady = false
  #wasGreeted = false
  #partial: PartialMessage | null = null
  readonly #completed = new Set<string>()
  readonly #name: string
  readonly #level: Level
  readonly #history: History

  constructor(name: string, level: Level, history: History) {
    this.#name = name
    this.#level = level
    this.#history = history
  }

  /** A new attach begins after `after`; null: from now on. */
  begin(after: number | null): void {
    this.cursor = after
    this.isReady = false
    this.#wasGreeted = false
    // From now on means from a place it does not know, so that nothing it has can be continued.
    if (after === null) this.#partial = null
    if (this.#partial) this.#partial.isLive = false
  }

  take(frame: ServerFrame): void {
    if (frame.type === 'hello') this.#greeted(frame.head)
    else if (!this.#wasGreeted) this.#violate('ATT1', `got a ${frame.type} before hello`)
    else if (frame.type === 'event') this.#event(frame.event)
    else if (frame.type === 'ready') this.#ready(frame)
    else if (frame.type === 'delta') this.#delta(frame)
  }

  /** The frame is what the wire schema says it is. */
  checkShape(frame: unknown): void {
    const parsed = v.safeParse(ServerFrameSchema, frame)
    if (!parsed.success) this.#violate('WIRE', `got a frame that is none: ${JSON.stringify(frame)}`)
  }

  #greeted(head: number): void {
    if (this.#wasGreeted) this.#violate('ATT1', 'was greeted twice')
    this.#wasGreeted = true
    this.cursor ??= head
  }

  #event(event: Event): void {
    const expected = (this.cursor ?? 0) + 1
    if (event.seq !== expected) return this.#violate('ATT1', `got event ${event.seq} (${event.type}) where ${expected} was due`)
    this.cursor = event.seq
    this.#history.sawEvent(this.#name, event, this.#level)
    if (event.type === 'message.completed') this.#messageCompleted(event)
    // Its step is done again under another id (ATT4).
    if (event.type === 'turn.resumed' && event.supersedes === this.#partial?.messageId) this.#partial = null
    if (isTerminal(event)) this.#turnEnded(event)
  }

  #ready({ head, session, partial }: ReadyFrame): void {
    if (this.isReady) this.#violate('ATT1', 'got a second ready')
    this.isReady = true
    if (head !== this.cursor) this.#violate('ATT1', `is ready at head ${head}, with events up to ${this.cursor}`)
    if (session.head !== head) this.#violate('ATT1', `is ready at head ${head} with a session at ${session.head}`)
    this.#history.sawSession(this.#name, session, this.#level)
    const before = this.#partial
    this.#partial = partial ? { turnId: partial.turnId, messageId: partial.messageId, parts: saidBy(partial.parts), isLive: true } : null
    if (this.#partial) this.#checkPartial(this.#partial, before)
  }

  #checkPartial(partial: PartialMessage, before: PartialMessage | null): void {
    if (this.#completed.has(partial.messageId)) this.#violate('ATT4', `is told that ${partial.messageId} streams, which is completed`)
    if (!partial.parts.every((part) => part.text.isWellFormed())) this.#violate('ATT2', 'got a partial that splits a surrogate pair')
    // The same message only grows; after a restart its step has another id.
    if (before?.messageId === partial.messageId && !isStartOf(before.parts, partial.parts)) {
      this.#violate('ATT3', `had ${JSON.stringify(before.parts)} of a message and is told ${JSON.stringify(partial.parts)}`)
    }
  }

  #delta(delta: DeltaFrame): void {
    if (!this.isReady) this.#violate('ATT1', 'got a delta before ready')
    if (!delta.text.isWellFormed()) this.#violate('ATT2', `got a delta that splits a surrogate pair: ${JSON.stringify(delta)}`)
    if (this.#completed.has(delta.messageId)) this.#violate('ATT4', `got a delta of ${delta.messageId}, which is completed`)
    if (delta.text === '') this.#violate('ATT2', 'got an empty delta')
    if (this.#partial?.messageId !== delta.messageId) this.#openPartial(delta)
    if (this.#partial) this.#grow(this.#partial.parts, delta)
  }

  #openPartial({ turnId, messageId }: DeltaFrame): void {
    this.#partial = { turnId, messageId, parts: [], isLive: true }
  }

  /** A part is opened by a delta at its offset 0, and only the last part grows, or calls side by side. */
  #grow(parts: Said[], { part, kind, offset, text }: DeltaFrame): void {
    const type = kind === 'tool-input' ? 'tool-call' : kind
    if (part === parts.length) parts.push({ type, text: '' })
    const known = parts[part]
    if (!known || offset > known.text.length) {
      return this.#violate('ATT2', `misses text before part ${part} offset ${offset}; has ${JSON.stringify(parts)}`)
    }
    // A client could cope with an overlap; but all it knows was sent to it, and the rest follows on (ATT3).
    const isClosed = part !== parts.length - 1 && type !== 'tool-call'
    if (known.type !== type || isClosed || offset < known.text.length) {
      return this.#violate(
        'ATT3',
        `has ${JSON.stringify(parts)} and got ${kind} ${JSON.stringify(text)} for part ${part} at offset ${offset}`,
      )
    }
    known.text += text
  }

  /** The message as it is kept, against what was followed live: the same, but for an end that was cut or missed. */
  #messageCompleted({ message }: EventOf<'message.completed'>): void {
    this.#completed.add(message.id)
    const partial = this.#partial
    if (partial?.messageId !== message.id) return
    this.#partial = null
    const said = saidBy(message.parts)
    const mayMissTheEnd = !partial.isLive || cutReasons.has(message.finishReason ?? '')
    const isLate = this.#history.wasRestartedDuring(message.turnId)
    const agrees = mayMissTheEnd
      ? isStartOf(withoutUnfinished(partial.parts, said), said) || (isLate && isStartOf(said, partial.parts))
      : isDeepStrictEqual(partial.parts, said)
    if (!agrees) this.#violate('ATT3', `followed ${JSON.stringify(partial.parts)}; the message is ${JSON.stringify(message)}`)
  }

  /** What was streamed is kept in the log when its turn ends (TRN3); only a restart may have lost the end of it. */
  #turnEnded(event: Event & { turnId: string }): void {
    const partial = this.#partial
    if (partial?.turnId !== event.turnId) return
    this.#partial = null
    if (lengthOf(partial.parts) > 0 && !this.#history.wasRestartedDuring(event.turnId)) {
      this.#violate('TRN3', `saw ${event.type} at ${event.seq}, and the words it followed were not kept: ${JSON.stringify(partial)}`)
    }
  }

  #violate(rule: string, message: string): void {
    this.#history.violate(rule, `${this.#name} ${message}`)
  }
}
