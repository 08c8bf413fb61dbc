/**
 * The context's messages, kept in memory while the object is awake, so that a turn reads what is new and not the whole
 * window again. It is a cache of the log: losing it costs a read.
 */
import { buildContext } from '../core/build-context.ts'
import type { SessionState } from '../core/state.ts'
import type { Message } from '../protocol/message.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { readMessagesBetween } from './read-messages.ts'

export class ContextMemory {
  readonly #store: SessionStore
  #messages: Message[] = []
  #fromSeq = 0
  #toSeq = 0

  constructor(store: SessionStore) {
    this.#store = store
  }

  /** The messages that a step gets whose context is built as of the state's head. */
  messages(state: SessionState): Message[] {
    const fromSeq = state.context.spans[0]?.fromSeq ?? state.head + 1
    if (fromSeq < this.#fromSeq || this.#toSeq === 0) this.#messages = readMessagesBetween(this.#store, fromSeq - 1, state.head)
    else {
      this.#messages = this.#messages.filter((message) => message.seq >= fromSeq)
      this.#messages.push(...readMessagesBetween(this.#store, Math.max(this.#toSeq, fromSeq - 1), state.head))
    }
    this.#fromSeq = fromSeq
    this.#toSeq = state.head
    return buildContext(this.#messages, state.context.omittedMessages)
  }
}
