/**
 * One stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). It bounds what may
 * wait for a slow reader, tells intermediaries every 15 s that it is alive, and ends when nothing happens for 5 minutes:
 * clients come back with `Last-Event-ID`, and an idle stream costs nobody anything.
 */
import type { ServerFrame } from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import { headHeader } from './answer.ts'

const KEEP_ALIVE_MS = 15_000
const IDLE_END_MS = 5 * 60_000

/** What a stream says: a frame's type, its text, and the seq if it is an event. */
export interface SseFrame {
  type: string
  text: string
  seq: number | null
}

const utf8 = new TextEncoder()

/** A socket's frame for a stream; `text` is the frame as the object wrote it, where it came over a socket. */
export function sseFrame(frame: ServerFrame, text = JSON.stringify(frame)): SseFrame {
  return { type: frame.type, text, seq: frame.type === 'event' ? frame.event.seq : null }
}

export function sseText(frame: SseFrame): string {
  const id = frame.seq === null ? '' : `id: ${frame.seq}\n`
  return `event: ${frame.type}\n${id}data: ${frame.text}\n\n`
}

export class SseStream {
  /** True while the writer awaits `room` between its frames; whoever follows live cannot wait, and lets a slow reader go. */
  isPaced = false
  readonly #readable: ReadableStream<Uint8Array>
  readonly #ended = new AbortController()
  readonly #keepAlive = setInterval(() => this.#write(': keep-alive\n\n'), KEEP_ALIVE_MS)
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #cancelIdle = () => {}
  #roomWaiters: (() => void)[] = []

  constructor() {
    this.#readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#releaseWaiters(),
        cancel: () => this.end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: limits.socketBufferBytes }),
    )
    this.#restartIdle()
  }

  /** Aborted when the stream has ended, whoever ended it. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** Queues a frame; a reader who let too much wait is let go, and resumes by seq. */
  send(frame: SseFrame): void {
    this.#restartIdle()
    this.#write(sseText(frame))
  }

  /** Resolves when the reader has taken enough for more to be queued, or when the stream ended. */
  async room(): Promise<void> {
    if (this.ended.aborted || this.#roomBytes() > 0) return
    await new Promise<void>((resolve) => this.#roomWaiters.push(resolve))
  }

  /** What is queued is still delivered. */
  end(): void {
    if (this.ended.aborted) return
    clearInterval(this.#keepAlive)
    this.#cancelIdle()
    this.#ended.abort()
    this.#releaseWaiters()
    try {
      this.#controller?.close()
    } catch {
      // The reader has cancelled the stream: it is closed already.
    }
  }

  response(head: number | null): Response {
    const headers = headHeader(head)
    headers.set('content-type', 'text/event-stream')
    // Proxies of the nginx family hold streams back unless told not to.
    headers.set('x-accel-buffering', 'no')
    return new Response(this.#readable, { headers })
  }

  #write(text: string): void {
    if (this.ended.aborted) return
    this.#controller?.enqueue(utf8.encode(text))
    if (this.#roomBytes() <= 0 && !this.isPaced) this.end()
  }

  #roomBytes(): number {
    return this.#controller?.desiredSize ?? 0
  }

  #releaseWaiters(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  #restartIdle(): void {
    this.#cancelIdle()
    const timer = setTimeout(() => this.end(), IDLE_END_MS)
    this.#cancelIdle = () => clearTimeout(timer)
  }
}
