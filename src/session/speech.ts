/**
 * The message that the running step is saying: what of it was sent, what waits to be, and what was saved of it. There is one
 * at most (rule ATT4).
 */
import type { AgentEvent } from '../agents/agent.ts'
import type { DeltaFrame, Partial } from '../protocol/frame.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Host } from './host.ts'
import type { MessageAssembly } from './message-assembly.ts'
import { PartialSaver } from './partial-saver.ts'
import type { TurnMeter } from './turn-meter.ts'

/** A delta leaves at once, unless one left so shortly before: then it waits for more to join it. */
const coalesceMs = 40

export class Speech {
  readonly #host: Host
  readonly #send: (frame: DeltaFrame) => void
  readonly #saver: PartialSaver
  #saying: { generation: number; assembly: MessageAssembly } | null = null
  #cancelFlush: (() => void) | null = null
  /** The clock when a delta last left. */
  #sentAt = 0

  constructor(host: Host, store: SessionStore, meter: TurnMeter, send: (frame: DeltaFrame) => void) {
    this.#host = host
    this.#send = send
    this.#saver = new PartialSaver(host, store, meter)
  }

  /** Null between steps, and when nothing runs. */
  get assembly(): MessageAssembly | null {
    return this.#saying?.assembly ?? null
  }

  begin(generation: number, assembly: MessageAssembly): void {
    this.drop()
    this.#saying = { generation, assembly }
  }

  say(words: Exclude<AgentEvent, { type: 'finish' }>): void {
    if (!this.#saying) return
    const { generation, assembly } = this.#saying
    this.#sendAll(assembly.add(words))
    this.#saver.soon(generation, assembly)
    if (!assembly.hasPending || this.#cancelFlush) return
    // A clock that goes back must not hold them up.
    const waitMs = Math.min(coalesceMs, this.#sentAt + coalesceMs - this.#host.now())
    if (waitMs <= 0) return this.flush()
    this.#cancelFlush = this.#host.timer(waitMs, () => {
      this.#cancelFlush = null
      if (this.assembly === assembly) this.flush()
    })
  }

  /** Sends what is coalesced. */
  flush(): void {
    this.#sendAll(this.assembly?.flush() ?? [])
  }

  /** The message in the making, everything of it sent. */
  flushedPartial(): Partial | null {
    const { assembly } = this
    if (!assembly) return null
    this.flush()
    return { turnId: assembly.turnId, messageId: assembly.messageId, parts: assembly.snapshot() }
  }

  /** All is said: what was held back is sent, and the message is nobody's any more. */
  end(): void {
    this.#sendAll(this.assembly?.end() ?? [])
    this.drop()
  }

  drop(): void {
    this.#saying = null
    this.#cancelFlush?.()
    this.#cancelFlush = null
    this.#saver.cancel()
  }

  #sendAll(frames: DeltaFrame[]): void {
    if (frames.length > 0) this.#sentAt = this.#host.now()
    for (const frame of frames) this.#send(frame)
  }
}
