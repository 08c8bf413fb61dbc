/**
 * The one seam to the platform. `session-object.ts` implements it on `cloudflare:workers`, the simulator in Node with a
 * virtual clock and crashes at any await. It promises what the platform was measured to promise, no more:
 * - writes outside `transaction` are not rolled back by a later throw; inside, all or nothing, alarm included;
 * - between two awaits nothing else runs; any await of a timer, of `fetch` or of D1 lets other requests in;
 * - frames leave a socket only after the writes before them are durable;
 * - a timer or a background promise may never come back: the object can die at any await.
 */
import type { Sql } from '../storage/sql.ts'

export interface Host {
  readonly sql: Sql
  /** Runs `change` in one synchronous transaction: a throw rolls back all of it, `setAlarm` included. */
  transaction<T>(change: () => T): T
  /** Drops everything the object has stored, its alarm too. */
  deleteAll(): Promise<void>
  /** Milliseconds since the epoch; may go backwards. */
  now(): number
  /** `length` random characters of Crockford base 32. */
  entropy(length: number): string
  /** Wakes the object at about this time, even if it was evicted; one alarm at a time. Costs one row. */
  setAlarm(at: number): void
  /** When the alarm is due, or null. */
  alarmAt(): Promise<number | null>
  /** Keeps the object alive until the promise ends; a rejection is logged, never thrown. */
  background(work: Promise<unknown>): void
  /** Calls back after about `ms`, unless cancelled or the object died. */
  timer(ms: number, callback: () => void): () => void
  /** Every open socket, those that outlived a hibernation included. */
  sockets(): HostSocket[]
  log(entry: LogEntry): void
}

/** One structured line. Never a token, a key, or the words of a conversation. */
export interface LogEntry {
  event: string
  level?: 'info' | 'warn' | 'error'
  [field: string]: unknown
}

export interface HostSocket {
  /** Queues a text frame; never throws. */
  send(text: string): void
  close(code: number, reason: string): void
  /** Bytes that were sent and have not left yet. */
  readonly bufferedBytes: number
  /** What survives hibernation with the socket; plain data, ≤ 16 KiB. */
  attachment(): unknown
  setAttachment(value: unknown): void
}
