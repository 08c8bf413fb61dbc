/**
 * What one client knows of a session, kept by the rules of the public contract alone: a cursor, the events up to it, and
 * the text of the message that is streaming. Whatever the contract forbids is noted in `faults`, for frames come in where
 * a throw would be lost.
 */
import { isTerminal, type Event, type EventOf } from '../../src/protocol/event.ts'
import type { DeltaFrame, ReadyFrame, ServerFrame } from '../../src/protocol/frame.ts'
import type { Part } from '../../src/protocol/message.ts'

interface StreamingMessage {
  messageId: string
  turnId: string
  /** By part; text, reasoning and inputs of calls alike. */
  texts: string[]
  /** False once the line broke: the client may then miss the end of the message, but nothing before. */
  isWhole: boolean
}

export class SessionTranscript {
  cursor = 0
  readonly events: Event[] = []
  readonly faults: string[] = []
  /** Attaches that got their `ready`. */
  attaches = 0
  deltas = 0
  /** Of these attaches, those in the middle of a message of which the client knew a part. */
  resumedMessages = 0
  /** Messages whose deltas, put together, were the very text of their `message.completed`. */
  verifiedMessages = 0
  isReady = false
  #wasGreeted = false
  #streaming: StreamingMessage | null = null

  /** A new connection begins, after `cursor`. */
  begin(): void {
    this.isReady = false
    this.#wasGreeted = false
    if (this.#streaming) this.#streaming.isWhole = false
  }

  /** The text so far of the message that streams. */
  get streamingText(): string {
    return this.#streaming?.texts.join('') ?? ''
  }

  take(frame: ServerFrame): void {
    if (frame.type === 'hello') this.#wasGreeted = true
    else if (!this.#wasGreeted) this.#fault('ATT1', `a ${frame.type} came before hello`)
    else if (frame.type === 'event') this.#event(frame.event)
    else if (frame.type === 'ready') this.#ready(frame)
    else if (frame.type === 'delta') this.#delta(frame)
  }

  #event(event: Event): void {
    if (event.seq !== this.cursor + 1)
      return this.#fault('ATT1', `event ${event.seq} (${event.type}) came where ${this.cursor + 1} was due`)
    this.cursor = event.seq
    this.events.push(event)
    if (event.type === 'message.completed') this.#completed(event)
    if (isTerminal(event) && this.#streaming?.turnId === event.turnId) this.#streaming = null
  }

  #ready({ head, session, partial }: ReadyFrame): void {
    if (this.isReady) this.#fault('ATT1', 'a second ready came')
    if (head !== this.cursor || session.head !== head) this.#fault('ATT1', `ready at head ${head} with events up to ${this.cursor}`)
    this.isReady = true
    this.attaches += 1
    const before = this.#streaming
    this.#streaming = partial && { messageId: partial.messageId, turnId: partial.turnId, texts: partial.parts.map(textOf), isWhole: true }
    if (!before || before.messageId !== partial?.messageId) return
    this.resumedMessages += 1
    if (!isStart(before.texts, partial.parts.map(textOf)))
      this.#fault('ATT3', `had ${JSON.stringify(before)}, ready says ${JSON.stringify(partial)}`)
  }

  #delta(delta: DeltaFrame): void {
    this.deltas += 1
    if (!this.isReady) this.#fault('ATT1', 'a delta came before ready')
    if (!delta.text.isWellFormed()) this.#fault('ATT2', `a delta splits a surrogate pair: ${JSON.stringify(delta)}`)
    if (this.#streaming?.messageId !== delta.messageId) {
      this.#streaming = { messageId: delta.messageId, turnId: delta.turnId, texts: [], isWhole: true }
    }
    this.#grow(this.#streaming.texts, delta)
  }

  #grow(texts: string[], { part, offset, text, messageId }: DeltaFrame): void {
    const known = texts[part] ?? ''
    if (part > texts.length || offset > known.length)
      return this.#fault('ATT2', `${messageId} misses text before part ${part} offset ${offset}`)
    const overlap = known.slice(offset, offset + text.length)
    if (!text.startsWith(overlap)) this.#fault('ATT2', `${messageId} has "${overlap}" where "${text}" came`)
    texts[part] = known + text.slice(overlap.length)
  }

  #completed({ message }: EventOf<'message.completed'>): void {
    const streaming = this.#streaming
    if (streaming?.messageId !== message.id) return
    this.#streaming = null
    const said = message.parts.map(textOf)
    if (streaming.isWhole && message.finishReason !== 'interrupted') this.#verify(streaming, said)
    // What an interrupted turn keeps may be older than what a client saw before the crash.
    else if (!isStart(streaming.texts, said) && message.finishReason !== 'interrupted') {
      this.#fault('ATT3', `followed ${JSON.stringify(streaming)} of ${JSON.stringify(said)}`)
    }
  }

  #verify({ texts, messageId }: StreamingMessage, said: string[]): void {
    if (texts.length === said.length && texts.every((text, index) => text === said[index])) this.verifiedMessages += 1
    else this.#fault('ATT2', `${messageId} was streamed as ${JSON.stringify(texts)} and completed as ${JSON.stringify(said)}`)
  }

  #fault(rule: string, message: string): void {
    if (this.faults.length < 10) this.faults.push(`${rule}: ${message}`)
  }
}

/** A call streams as the JSON of its input, and is complete as what that JSON says. */
function textOf(part: Part): string {
  if (part.type === 'tool-call') return typeof part.input === 'string' ? part.input : JSON.stringify(part.input)
  return 'text' in part ? part.text : ''
}

function isStart(texts: string[], of: string[]): boolean {
  return texts.every((text, index) => (of[index] ?? '').startsWith(text))
}
