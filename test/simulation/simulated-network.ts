/**
 * One WebSocket from a client to the object. Frames of one direction arrive in order, after a while, or not at all once
 * the line is severed. The two ends learn of a loss at different times: until the object does, its frames pile up unread.
 */
import { limits } from '../../src/protocol/limits.ts'
import type { AttachRequest } from '../../src/session/requests.ts'
import type { Random } from './random.ts'
import type { SimulatedObject } from './simulated-object.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface ClientEnd {
  onFrame(text: string): void
  onClose(code: number): void
}

export interface Weather {
  latencyMs: number
  /** A byte counts for so many in the buffers, so that few frames make a slow reader. */
  byteWeight: number
}

type Item = { text: string } | { code: number }

export class Connection {
  readonly name: string
  readonly request: AttachRequest
  /** JSON of what the object keeps with the socket. */
  attachment: string | null = null
  /** Bytes that the object sent and the client has not read. */
  waitingBytes = 0
  peakBytes = 0
  /** The task of the clock in which more came to wait than a socket may hold; null: less waits. */
  tooFullSince: number | null = null
  /** The client does not read. */
  paused = false
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #object: SimulatedObject
  readonly #weather: Weather
  #client: ClientEnd | null
  #accepted = false
  #severed = false
  /** Sent by the object but held back until its writes are durable. */
  readonly #held: Item[] = []
  readonly #down: Item[] = []
  readonly #up: Item[] = []
  #isDelivering = false
  #isSending = false

  constructor(name: string, request: AttachRequest, client: ClientEnd, object: SimulatedObject, weather: Weather) {
    this.name = name
    this.request = request
    this.#client = client
    this.#object = object
    this.#clock = object.clock
    this.#random = object.random
    this.#weather = weather
    this.#clock.after(this.#latency(), () => {
      if (this.#severed) return
      this.#accepted = true
      this.#object.accept(this)
      this.#pumpUp()
    })
  }

  enqueue(text: string): void {
    this.#waits(text.length * this.#weather.byteWeight)
    this.peakBytes = Math.max(this.peakBytes, this.waitingBytes)
    this.#held.push({ text })
  }

  enqueueClose(code: number): void {
    this.#held.push({ code })
  }

  /** The oldest of what the object sent leaves it. */
  release(): void {
    const item = this.#held.shift()
    if (item && !this.#severed) this.#down.push(item)
    this.#pumpDown()
  }

  /** The client sends. */
  send(text: string): void {
    this.#up.push({ text })
    this.#pumpUp()
  }

  /** The client closes: it hears nothing more, the object will. */
  close(code: number): void {
    this.#client = null
    this.#up.push({ code })
    this.#pumpUp()
  }

  resume(): void {
    this.paused = false
    this.#pumpDown()
  }

  /** The line is gone; with `object` the other end as well, otherwise that end notices some time later. */
  sever(by: 'line' | 'object'): void {
    if (this.#severed) return
    this.#severed = true
    this.#clock.after(this.#latency(), () => this.#hangUp(1006))
    if (by === 'object') return
    const notice = this.#random.weighted([
      [3, 50],
      [1, 20_000],
    ])
    this.#clock.after(this.#random.between(1, notice), () => this.#tellObject(1006))
  }

  #hangUp(code: number): void {
    const client = this.#client
    this.#client = null
    client?.onClose(code)
  }

  /** Whoever closed first, the object hears of it at most once. */
  #tellObject(code: number): void {
    if (!this.#accepted) return
    const wasOpen = this.#object.connections.has(this)
    // A close frame may also answer the object's own: the platform reports it sometimes, and nothing may break by it.
    if (wasOpen || (this.#random.chance(0.5) && !this.#severed)) this.#object.closed(this, code)
  }

  #pumpDown(): void {
    if (this.#isDelivering || this.#severed || this.paused || this.#down.length === 0) return
    this.#isDelivering = true
    this.#clock.after(this.#latency(), () => {
      this.#isDelivering = false
      for (let left = this.#random.between(1, 12); left > 0 && !this.paused && !this.#severed; left--) this.#deliver()
      this.#pumpDown()
    })
  }

  #deliver(): void {
    const item = this.#down.shift()
    if (!item) return
    if ('code' in item) return this.#hangUp(item.code)
    this.#waits(-item.text.length * this.#weather.byteWeight)
    this.#client?.onFrame(item.text)
  }

  #waits(bytes: number): void {
    this.waitingBytes += bytes
    if (this.waitingBytes <= limits.socketBufferBytes) this.tooFullSince = null
    else this.tooFullSince ??= this.#clock.tasksRun
  }

  #pumpUp(): void {
    if (this.#isSending || !this.#accepted || this.#up.length === 0) return
    this.#isSending = true
    this.#clock.after(this.#latency(), () => {
      this.#isSending = false
      if (this.#severed) return
      const item = this.#up.shift()
      if (item && 'code' in item) this.#tellObject(item.code)
      else if (item && this.#object.connections.has(this)) this.#object.receive(this, item.text)
      this.#pumpUp()
    })
  }

  #latency(): number {
    return this.#random.between(0, this.#weather.latencyMs)
  }
}
