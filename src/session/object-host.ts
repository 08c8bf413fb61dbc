/** The host on Cloudflare: what a Durable Object's context offers, in the terms of the seam (host.ts). */
import { encodeBase32 } from '../protocol/ids.ts'
import type { Sql, SqlValue } from '../storage/sql.ts'
import type { Host, HostSocket, LogEntry } from './host.ts'

export class ObjectHost implements Host {
  readonly #ctx: DurableObjectState
  readonly #sockets = new WeakMap<WebSocket, HostSocket>()
  readonly sql: Sql

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
    this.sql = objectSql(ctx.storage.sql)
  }

  transaction<T>(change: () => T): T {
    return this.#ctx.storage.transactionSync(change)
  }

  deleteAll(): Promise<void> {
    return this.#ctx.storage.deleteAll()
  }

  now(): number {
    return Date.now()
  }

  entropy(length: number): string {
    return encodeBase32(crypto.getRandomValues(new Uint8Array(Math.ceil((length * 5) / 8))), length)
  }

  setAlarm(at: number): void {
    void this.#ctx.storage.setAlarm(at)
  }

  alarmAt(): Promise<number | null> {
    return this.#ctx.storage.getAlarm()
  }

  background(work: Promise<unknown>): void {
    this.#ctx.waitUntil(
      work.catch((error: unknown) =>
        this.log({ event: 'background.failed', level: 'error', error: error instanceof Error ? error.name : 'unknown' }),
      ),
    )
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  }

  sockets(): HostSocket[] {
    return this.#ctx.getWebSockets().map((socket) => this.socketOf(socket))
  }

  log({ level = 'info', ...entry }: LogEntry): void {
    console[level](JSON.stringify({ level, ...entry }))
  }

  /** The same object for the same socket, as long as the session is awake. */
  socketOf(socket: WebSocket): HostSocket {
    const known = this.#sockets.get(socket)
    if (known) return known
    const made = new ObjectSocket(socket)
    this.#sockets.set(socket, made)
    return made
  }
}

class ObjectSocket implements HostSocket {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  send(text: string): void {
    try {
      this.#socket.send(text)
    } catch {
      // It closed a moment ago; the close handler follows.
    }
  }

  close(code: number, reason: string): void {
    try {
      // RFC 6455, 5.5: a control frame carries 125 bytes at most, two of them the code.
      this.#socket.close(code, reason.slice(0, 120))
    } catch {
      // It is closed already.
    }
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount ?? 0
  }

  attachment(): unknown {
    return this.#socket.deserializeAttachment()
  }

  setAttachment(value: unknown): void {
    this.#socket.serializeAttachment(value)
  }
}

/** Rows are billed by what the cursor counts once it was read to its end. */
export function objectSql(sql: SqlStorage): Sql {
  return {
    exec(statement, ...bindings) {
      const cursor = sql.exec<Record<string, SqlStorageValue>>(statement, ...bindings)
      const rows = cursor.toArray().map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fromStorage(value)])))
      return { rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten }
    },
  }
}

function fromStorage(value: SqlStorageValue): SqlValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value
}
