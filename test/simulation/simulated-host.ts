/**
 * The host as one instance of the session sees it. It dies with its instance: from then on nothing that the instance left
 * behind (a timer, an answer, a promise) ever comes back to it, and whatever it still calls goes nowhere or throws.
 */
import type { Host, HostSocket, LogEntry } from '../../src/session/host.ts'
import type { SqlValue } from '../../src/storage/sql.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Connection } from './simulated-network.ts'
import type { SimulatedObject } from './simulated-object.ts'

export class SimulatedHost implements Host {
  dead = false
  readonly sql = { exec: (statement: string, ...bindings: SqlValue[]) => this.#alive().storage.exec(statement, ...bindings) }
  readonly #object: SimulatedObject
  readonly #sockets = new Map<Connection, InstanceSocket>()
  readonly #timers = new Set<() => void>()

  constructor(object: SimulatedObject) {
    this.#object = object
  }

  transaction<T>(change: () => T): T {
    return this.#alive().storage.transaction(change)
  }

  async deleteAll(): Promise<void> {
    this.#alive().storage.deleteAll()
  }

  now(): number {
    return this.#object.now()
  }

  entropy(length: number): string {
    return this.#object.random.text(length)
  }

  setAlarm(at: number): void {
    this.#alive().storage.setAlarm(at)
  }

  async alarmAt(): Promise<number | null> {
    return this.#alive().storage.alarm
  }

  background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!this.dead) this.#object.threw('background', error)
    })
  }

  timer(ms: number, callback: () => void): () => void {
    if (this.dead) return () => {}
    const stop = this.#object.clock.after(ms, () => {
      this.#timers.delete(stop)
      this.#object.guard('timer', callback)
    })
    this.#timers.add(stop)
    return () => {
      this.#timers.delete(stop)
      stop()
    }
  }

  sockets(): HostSocket[] {
    return this.dead ? [] : [...this.#object.connections].map((connection) => this.socketOf(connection))
  }

  log(entry: LogEntry): void {
    if (!this.dead) this.#object.logged(entry)
  }

  /** As the platform does: the same object for the same connection, as long as this instance lives. */
  socketOf(connection: Connection): InstanceSocket {
    const known = this.#sockets.get(connection)
    if (known) return known
    const socket = new InstanceSocket(this, this.#object, connection)
    this.#sockets.set(connection, socket)
    return socket
  }

  /** Settles after `ms`, or never if the instance dies first: what agents and the index wait with. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.timer(ms, resolve))
  }

  die(): void {
    this.dead = true
    for (const stop of this.#timers) stop()
    this.#timers.clear()
  }

  #alive(): SimulatedObject {
    if (this.dead) throw new Error('This instance is dead')
    return this.#object
  }
}

class InstanceSocket implements HostSocket {
  readonly #host: SimulatedHost
  readonly #object: SimulatedObject
  readonly #connection: Connection

  constructor(host: SimulatedHost, object: SimulatedObject, connection: Connection) {
    this.#host = host
    this.#object = object
    this.#connection = connection
  }

  get bufferedBytes(): number {
    return this.#connection.waitingBytes
  }

  send(text: string): void {
    const connection = this.#connection
    if (this.#host.dead || !this.#object.connections.has(connection)) return
    this.#checkAccess()
    const { tooFullSince } = connection
    if (tooFullSince !== null && tooFullSince < this.#object.clock.tasksRun) {
      this.#object.history.violate('ATT5', `a frame is sent to ${connection.name}, where ${connection.waitingBytes} bytes wait already`)
    }
    // It counts as buffered from now on, also while it is held back.
    connection.enqueue(text)
    this.#object.release(() => connection.release())
  }

  close(code: number, reason: string): void {
    const connection = this.#connection
    // From here on the platform no longer lists it, whatever is still on its way to the client.
    if (this.#host.dead || !this.#object.connections.delete(connection)) return
    if (code === 4408 && connection.peakBytes <= limits.socketBufferBytes) {
      this.#object.history.violate('ATT5', `${connection.name} was cut as too slow with ${connection.peakBytes} bytes waiting at most`)
    }
    this.#object.history.note(`the object closes ${connection.name}: ${code} ${reason}`)
    connection.enqueueClose(code)
    this.#object.release(() => connection.release())
  }

  attachment(): unknown {
    const stored = this.#connection.attachment
    return stored === null ? null : JSON.parse(stored)
  }

  setAttachment(value: unknown): void {
    const stored = JSON.stringify(value)
    if (stored.length > 16_384) this.#object.history.violate('ATT6', `an attachment of ${stored.length} characters`)
    this.#connection.attachment = stored
  }

  /** An expired token gets no frame any more, whoever sends it (ATT5). */
  #checkAccess(): void {
    const { principal } = this.#connection.request
    if (principal.kind !== 'token' || principal.expiresAt > this.#host.now()) return
    this.#object.history.violate('ATT5', `${this.#connection.name} is sent a frame after its token expired`)
  }
}
