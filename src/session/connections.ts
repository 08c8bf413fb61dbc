/**
 * The sockets of a session. Each is either replaying, fed from the log up to the head, or live, fed by every commit; it
 * changes over without an await between its last read and its `ready`, so that nothing is missed or doubled (rule ATT1).
 * What a socket needs to go on after a hibernation or an eviction is in its attachment.
 *
 * - Access is checked on every frame in and out (rule ATT5).
 * - A client that does not read is cut above a bound, and resumes by seq.
 */
import type { SessionState } from '../core/state.ts'
import { levelOf, type Principal } from '../protocol/access.ts'
import { withoutInstructions, type Event } from '../protocol/event.ts'
import { closeCodes, PROTOCOL_VERSION, type Partial, type ServerFrame } from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { readAttachment, type Attachment } from './attachment.ts'
import { credentialsProblem } from './credentials.ts'
import type { Host, HostSocket } from './host.ts'
import { readSession } from './read-session.ts'
import type { AttachRequest } from './requests.ts'

/** Replay waits while so many bytes of a socket have not left. */
const replayBufferBytes = 512 * 1024
const replayPauseMs = 20
/** A replay that made no way for so long has lost its reader. */
const replayPatienceMs = 30_000
const replayPage = { commits: 64, bytes: 256 * 1024 }

export interface Connection extends Attachment {
  socket: HostSocket
  open: boolean
  /** Frames in a row that could not be understood. */
  badFrames: number
}

/** How a socket that may not attach is closed. */
export interface SocketRefusal {
  code: number
  reason: string
}

/** What connections need to know of the session they belong to. */
export interface SessionSource {
  state(): SessionState | null
  /** Sends what is coalesced, then tells the message in the making (rule ATT3). */
  flushedPartial(): Partial | null
}

export class Connections {
  readonly #host: Host
  readonly #store: SessionStore
  readonly #source: SessionSource
  readonly #connections = new Map<HostSocket, Connection>()

  constructor(host: Host, store: SessionStore, source: SessionSource) {
    this.#host = host
    this.#store = store
    this.#source = source
  }

  /** Takes up the sockets that outlived the object's memory. */
  adopt(): void {
    for (const socket of this.#host.sockets()) {
      const attachment = readAttachment(socket)
      if (!attachment) continue
      const connection = this.#register(socket, attachment)
      if (!connection.live) this.#host.background(this.#replay(connection))
    }
  }

  get size(): number {
    return this.#connections.size
  }

  of(socket: HostSocket): Connection | null {
    return this.#connections.get(socket) ?? null
  }

  /** Why a socket may not attach, or null. */
  refusal({ principal, after }: AttachRequest): SocketRefusal | null {
    const state = this.#source.state()
    if (!state) return { code: closeCodes.notFound, reason: 'There is no such session.' }
    if (after !== null && after > state.head) {
      return { code: closeCodes.badRequest, reason: `after is beyond the head, which is ${state.head}.` }
    }
    if (this.size >= limits.sockets) return { code: closeCodes.tooMany, reason: `${limits.sockets} sockets are attached already.` }
    const problem = credentialsProblem(principal, state, this.#host.now())
    return problem ? { code: closeCodes.unauthorized, reason: problem } : null
  }

  /** Greets a new socket, which was not refused, and replays what it has missed. */
  attach(socket: HostSocket, { principal, after, sessionId }: AttachRequest): void {
    const state = this.#source.state()
    if (!state) throw new Error('A socket attached to no session')
    const connection = this.#register(socket, { principal, cursor: after ?? state.head, live: false })
    this.send(connection, { type: 'hello', protocol: PROTOCOL_VERSION, sessionId, head: state.head, access: levelOf(principal) })
    this.#host.background(this.#replay(connection))
  }

  /** To every live socket; a commit's events leave together. */
  broadcastEvents(events: Event[]): void {
    const frames = new FrameTexts(events)
    for (const connection of this.#connections.values()) {
      if (connection.live && this.#mayReceive(connection)) for (const text of frames.for(connection.principal)) connection.socket.send(text)
    }
  }

  broadcast(frame: ServerFrame): void {
    const text = JSON.stringify(frame)
    for (const connection of this.#connections.values()) {
      if (connection.live && this.#mayReceive(connection)) connection.socket.send(text)
    }
  }

  send(connection: Connection, frame: ServerFrame): void {
    if (this.#mayReceive(connection)) connection.socket.send(JSON.stringify(frame))
  }

  close(connection: Connection, code: number, reason: string): void {
    this.forget(connection.socket)
    connection.socket.close(code, reason)
  }

  closeAll(code: number, reason: string): void {
    for (const connection of [...this.#connections.values()]) this.close(connection, code, reason)
  }

  /** The socket is gone, whoever closed it. */
  forget(socket: HostSocket): void {
    const connection = this.#connections.get(socket)
    if (connection) connection.open = false
    this.#connections.delete(socket)
  }

  /** Ends every socket whose credentials are no longer good: expired or revoked. */
  closeUnauthorized(): void {
    for (const connection of [...this.#connections.values()]) this.isAuthorized(connection)
  }

  /** False, and the socket closed, when its credentials are no longer good. */
  isAuthorized(connection: Connection): boolean {
    const state = this.#source.state()
    const problem = state && credentialsProblem(connection.principal, state, this.#host.now())
    if (problem) this.close(connection, closeCodes.unauthorized, problem)
    return !problem && connection.open
  }

  /** When the first of the attached tokens expires; null: none does. */
  nextExpiry(): number | null {
    let next: number | null = null
    for (const { principal } of this.#connections.values()) {
      if (principal.kind === 'token') next = Math.min(next ?? Infinity, principal.expiresAt)
    }
    return next
  }

  #register(socket: HostSocket, attachment: Attachment): Connection {
    const connection = { ...attachment, socket, open: true, badFrames: 0 }
    this.#connections.set(socket, connection)
    socket.setAttachment(attachment)
    return connection
  }

  #mayReceive(connection: Connection): boolean {
    if (!this.isAuthorized(connection)) return false
    if (connection.socket.bufferedBytes <= limits.socketBufferBytes) return true
    this.close(connection, closeCodes.tooSlow, 'The client reads too slowly; attach again with the last seq it has.')
    return false
  }

  /** Runs without an await as long as the socket takes what it is given. */
  async #replay(connection: Connection): Promise<void> {
    try {
      while (connection.open) {
        const isCaughtUp = connection.cursor >= (this.#source.state()?.head ?? 0)
        if (connection.socket.bufferedBytes > (isCaughtUp ? limits.socketBufferBytes : replayBufferBytes)) await this.#room(connection)
        else if (isCaughtUp) return this.#goLive(connection)
        else this.#replayPage(connection)
      }
    } catch (error) {
      this.#host.log({ event: 'replay.failed', level: 'error', error: error instanceof Error ? error.name : 'unknown' })
      this.close(connection, closeCodes.restart, 'The log could not be read here; attach again later.')
    }
  }

  /** Waits until most of what was sent has left; a reader that makes no way is cut. */
  async #room(connection: Connection): Promise<void> {
    const { socket } = connection
    let waitedMs = 0
    let least = Infinity
    while (connection.open && socket.bufferedBytes > replayBufferBytes) {
      if (socket.bufferedBytes < least) waitedMs = 0
      least = Math.min(least, socket.bufferedBytes)
      if (waitedMs >= replayPatienceMs) return this.close(connection, closeCodes.tooSlow, 'The client does not read its replay.')
      await new Promise<void>((resolve) => this.#host.timer(replayPauseMs, resolve))
      waitedMs += replayPauseMs
    }
  }

  #replayPage(connection: Connection): void {
    for (const { events } of this.#store.log.after(connection.cursor, replayPage).commits) {
      const missed = events.filter((event) => event.seq > connection.cursor)
      if (!this.isAuthorized(connection)) return
      for (const text of new FrameTexts(missed).for(connection.principal)) connection.socket.send(text)
      connection.cursor = missed.at(-1)?.seq ?? connection.cursor
    }
    this.#remember(connection)
  }

  #goLive(connection: Connection): void {
    const state = this.#source.state()
    if (!state || !connection.open) return
    const partial = this.#source.flushedPartial()
    connection.live = true
    this.#remember(connection)
    this.send(connection, { type: 'ready', head: state.head, session: readSession(this.#store, state, connection.principal), partial })
  }

  #remember({ socket, principal, cursor, live }: Connection): void {
    socket.setAttachment({ principal, cursor, live })
  }
}

/** The frames of some events, made once for all who may see everything and once for session tokens. */
class FrameTexts {
  readonly #events: Event[]
  #whole: string[] | null = null
  #forTokens: string[] | null = null

  constructor(events: Event[]) {
    this.#events = events
  }

  for(principal: Principal): string[] {
    if (principal.kind === 'token') return (this.#forTokens ??= this.#events.map((event) => toText(withoutInstructions(event))))
    return (this.#whole ??= this.#events.map(toText))
  }
}

function toText(event: Event): string {
  return JSON.stringify({ type: 'event', event })
}
