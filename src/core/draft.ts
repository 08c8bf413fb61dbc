/** A decision in the making: events appended one by one, each reduced at once, so that the next sees what it did. */
import type { Event } from '../protocol/event.ts'
import { reduce } from './reduce.ts'
import type { SessionState } from './state.ts'

type WithoutPlace<E> = E extends Event ? Omit<E, 'seq' | 'at'> : never
export type EventBody = WithoutPlace<Event>

export class Draft {
  readonly events: Event[] = []
  state: SessionState | null
  readonly #at: number

  constructor(state: SessionState | null, now: number) {
    this.state = state
    // Clocks go backwards, logs do not (rule LOG1).
    this.#at = Math.max(now, state?.lastAt ?? 0)
  }

  get nextSeq(): number {
    return (this.state?.head ?? 0) + 1
  }

  /** Appends the event that `body` is with its place in the log, and answers its seq. */
  emit(body: EventBody): number {
    const seq = this.nextSeq
    const event: Event = { seq, at: this.#at, ...body }
    this.events.push(event)
    this.state = reduce(this.state, event)
    return seq
  }

  get now(): number {
    return this.#at
  }
}
