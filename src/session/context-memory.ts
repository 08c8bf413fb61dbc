/**
 * The context's messages, kept in memory while the object is awake, so that a turn's cost does not grow with its context:
 * commits add to it as they are made, and only a woken object reads the window from the log. Losing it costs a read.
 */
import { hasCall, withOmissionMarker, withToolResults } from '../core/build-context.ts'
import type { SessionState } from '../core/state.ts'
import type { Event } from '../protocol/event.ts'
import type { Message } from '../protocol/message.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { messagesOf, readMessagesBetween } from './read-messages.ts'

export class ContextMemory {
  readonly #store: SessionStore
  /** Null: nothing was asked yet. */
  #messages: Message[] | null = null
  /** Where the messages begin. */
  #fromSeq = 0
  /** Looking for calls without a result would cost a walk over the context in every step. */
  #hasCalls = false

  constructor(store: SessionStore) {
    this.#store = store
  }

  /** A commit was made. */
  observe(events: Event[]): void {
    if (this.#messages) this.#add(this.#messages, messagesOf(this.#store, events))
  }

  /** The messages that a step gets whose context is built as of the state's head. */
  messages({ context, head }: SessionState): Message[] {
    const fromSeq = context.spans[0]?.fromSeq ?? head + 1
    // A model that takes more was chosen: what was let go is wanted again.
    if (fromSeq < this.#fromSeq) this.#messages = null
    this.#messages ??= this.#add([], readMessagesBetween(this.#store, fromSeq - 1, head))
    this.#fromSeq = fromSeq
    const omitted = this.#messages.findIndex((message) => message.seq >= fromSeq)
    if (omitted > 0) this.#messages.splice(0, omitted)
    return withOmissionMarker(this.#hasCalls ? withToolResults(this.#messages) : this.#messages, context.omittedMessages)
  }

  #add(messages: Message[], more: Message[]): Message[] {
    this.#hasCalls ||= more.some(hasCall)
    for (const message of more) messages.push(message)
    return messages
  }
}
