/**
 * Keeps what a running turn has said in its one row, at most every two seconds, so that a turn which ends as interrupted
 * can keep it. Short turns never write it; it is not deleted but outlived by its generation.
 */
import type { SessionStore } from '../storage/session-store.ts'
import type { Host } from './host.ts'
import type { MessageAssembly } from './message-assembly.ts'
import type { TurnMeter } from './turn-meter.ts'

const saveEveryMs = 2000

export class PartialSaver {
  readonly #host: Host
  readonly #store: SessionStore
  readonly #meter: TurnMeter
  #cancelTimer: (() => void) | null = null

  constructor(host: Host, store: SessionStore, meter: TurnMeter) {
    this.#host = host
    this.#store = store
    this.#meter = meter
  }

  /** The message has grown: saves it when the time has come. */
  soon(generation: number, assembly: MessageAssembly): void {
    this.#cancelTimer ??= this.#host.timer(saveEveryMs, () => {
      this.#cancelTimer = null
      this.#save(generation, assembly)
    })
  }

  cancel(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }

  #save(generation: number, assembly: MessageAssembly): void {
    const { turnId, messageId, contextSeq } = assembly
    const { activeMs, storage } = this.#meter.cost()
    const parts = assembly.said()
    this.#host.transaction(() => this.#store.partial.save({ generation, turnId, messageId, parts, contextSeq, activeMs, ...storage }))
  }
}
