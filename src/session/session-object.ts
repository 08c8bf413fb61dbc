/** The Durable Object: the host of one session on `cloudflare:workers`, and the only file that knows that module. */
import { DurableObject } from 'cloudflare:workers'
import { agents } from '../agents/registry.ts'
import { encodeBase32 } from '../protocol/ids.ts'
import { D1IndexWriter } from '../session-index/session-writer.ts'
import type { SqlResult, SqlValue } from '../storage/sql.ts'
import type { Host, HostSocket, LogEntry } from './host.ts'
import { ATTACH_HEADER, parseObjectName, type AttachRequest, type SessionAnswer, type SessionRequest } from './requests.ts'
import { Session } from './session.ts'

export class SessionObject extends DurableObject<Env> {
  readonly #session: Session
  readonly #host: ObjectHost

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    // Answered by the runtime, so that a ping wakes nobody.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
    this.#host = new ObjectHost(ctx)
    this.#session = new Session(this.#host, parseObjectName(ctx.id.name ?? ''), { agents, index: new D1IndexWriter(env.INDEX) })
  }

  perform(request: SessionRequest): Promise<SessionAnswer> {
    return this.#session.perform(request)
  }

  override async fetch(request: Request): Promise<Response> {
    const attach = JSON.parse(request.headers.get(ATTACH_HEADER) ?? '') as AttachRequest
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
    const refused = this.#session.attachRefusal(attach)
    if (refused) {
      // Not as a hibernating socket: workerd ends those up to ten seconds late when their client never sent a frame (2026-11).
      server.accept()
      server.close(refused.code, refused.reason)
    } else {
      this.ctx.acceptWebSocket(server)
      await this.#session.attach(this.#host.socketOf(server), attach)
    }
    const headers = attach.subprotocol === null ? {} : { 'Sec-WebSocket-Protocol': attach.subprotocol }
    return new Response(null, { status: 101, webSocket: client, headers })
  }

  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    this.#session.onFrame(this.#host.socketOf(socket), frame)
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // A hibernatable socket's close is not answered by the runtime; 1005, 1006 and 1015 may not be sent (RFC 6455, 7.4.1).
    const answer = code === 1005 || code === 1006 || code === 1015 ? 1000 : code
    const hostSocket = this.#host.socketOf(socket)
    hostSocket.close(answer, reason)
    this.#session.onClose(hostSocket)
  }

  override webSocketError(socket: WebSocket): void {
    this.#session.onClose(this.#host.socketOf(socket))
  }

  override alarm(): Promise<void> {
    return this.#session.onAlarm()
  }
}

class ObjectHost implements Host {
  readonly #ctx: DurableObjectState
  readonly #sockets = new WeakMap<WebSocket, HostSocket>()
  readonly sql = { exec: (statement: string, ...bindings: SqlValue[]) => this.#exec(statement, bindings) }

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
  }

  #exec(statement: string, bindings: SqlValue[]): SqlResult {
    const cursor = this.#ctx.storage.sql.exec<Record<string, SqlStorageValue>>(statement, ...bindings)
    const rows = cursor.toArray().map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fromStorage(value)])))
    return { rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten }
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

function fromStorage(value: SqlStorageValue): SqlValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value
}
