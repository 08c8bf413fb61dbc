/**
 * Erasing (rule ERA1): one transaction drops all content and leaves a marker without content, and an alarm. The index
 * row becomes a tombstone; after seven days the tombstone goes, and then the object's storage itself. Until then every
 * write meets the marker, so that nothing resurrects.
 */
import type { IndexWriter } from '../session-index/index-entry.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { bounded } from './bounded.ts'
import type { Host } from './host.ts'
import type { WakeAlarm } from './wake-alarm.ts'

const tombstoneMs = 7 * 24 * 3600 * 1000
const retryMs = 60_000
const writeTimeoutMs = 5000

export class Erasure {
  readonly #host: Host
  readonly #store: SessionStore
  readonly #alarm: WakeAlarm
  readonly #index: IndexWriter
  readonly #name: { tenant: string; sessionId: string }

  constructor(host: Host, store: SessionStore, alarm: WakeAlarm, index: IndexWriter, name: { tenant: string; sessionId: string }) {
    this.#host = host
    this.#store = store
    this.#alarm = alarm
    this.#index = index
    this.#name = name
  }

  /** When the session was erased; null: it was not. */
  get erasedAt(): number | null {
    return this.#store.exists() ? null : this.#store.erasedAt()
  }

  erase(): void {
    const at = this.#host.now()
    this.#host.transaction(() => {
      this.#store.erase({ at })
      this.#host.setAlarm(at + retryMs)
    })
    this.#alarm.forget()
  }

  /** Goes on with what is left to do, as often as it takes. Never rejects. */
  async proceed(erasedAt: number): Promise<void> {
    const { tenant, sessionId } = this.#name
    const endsAt = erasedAt + tombstoneMs
    try {
      if (this.#host.now() < endsAt) {
        await bounded(this.#host, this.#index.bury(tenant, sessionId, erasedAt), writeTimeoutMs)
        this.#host.setAlarm(endsAt)
      } else {
        await bounded(this.#host, this.#index.forget(tenant, sessionId), writeTimeoutMs)
        await this.#host.deleteAll()
      }
    } catch (error) {
      this.#host.setAlarm(this.#host.now() + retryMs)
      this.#host.log({ event: 'erase.delayed', level: 'warn', error: error instanceof Error ? error.name : 'unknown' })
    }
  }
}
