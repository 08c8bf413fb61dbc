/**
 * Keeps the session's row in the index true, without an outbox: which version the index has is remembered in memory, and
 * not knowing means telling it again, which writes nothing if it knew (rule IDX2). A failing index is retried from the
 * alarm, with back-off, for ever; nothing else ever waits for it or fails with it.
 */
import type { IndexEntry, IndexWriter } from '../session-index/index-entry.ts'
import { bounded } from './bounded.ts'
import type { Host } from './host.ts'
import type { WakeAlarm } from './wake-alarm.ts'

/** Commits of a busy turn share one write. */
const settleMs = 2000
const writeTimeoutMs = 5000
const firstRetryMs = 2000
const maxRetryMs = 300_000

export class IndexSync {
  readonly #host: Host
  readonly #alarm: WakeAlarm
  readonly #index: IndexWriter
  readonly #entry: () => IndexEntry | null
  /** The version that the index is known to have. */
  #version = 0
  #timer: (() => void) | null = null
  /** The writes so far, one after the other. */
  #writing: Promise<void> = Promise.resolve()
  #failures = 0
  retryAt: number | null = null

  constructor(host: Host, alarm: WakeAlarm, index: IndexWriter, entry: () => IndexEntry | null) {
    this.#host = host
    this.#alarm = alarm
    this.#index = index
    this.#entry = entry
  }

  /** Something changed: the index is told soon. */
  soon(): void {
    if (this.#timer || this.retryAt !== null) return
    this.#timer = this.#host.timer(settleMs, () => {
      this.#timer = null
      this.#host.background(this.flush())
    })
  }

  /** Tells the index what is so now, if it may not know. Never rejects. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async onAlarm(): Promise<void> {
    if (this.retryAt !== null && this.retryAt > this.#host.now()) this.#alarm.ensure(this.retryAt)
    else await this.flush()
  }

  stop(): void {
    this.#timer?.()
    this.#timer = null
  }

  async #write(): Promise<void> {
    const entry = this.#entry()
    if (!entry || entry.version <= this.#version) return
    try {
      await bounded(this.#host, this.#index.upsert(entry), writeTimeoutMs)
      this.#version = entry.version
      this.#failures = 0
      this.retryAt = null
      if ((this.#entry()?.version ?? 0) > entry.version) this.soon()
    } catch (error) {
      this.#retryLater(error)
    }
  }

  #retryLater(error: unknown): void {
    const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** this.#failures)
    this.#failures += 1
    this.retryAt = this.#host.now() + waitMs
    this.#alarm.ensure(this.retryAt)
    this.#host.log({
      event: 'index.failed',
      level: 'warn',
      failures: this.#failures,
      error: error instanceof Error ? error.name : 'unknown',
    })
  }
}
