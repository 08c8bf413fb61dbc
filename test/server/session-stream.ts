/** A follower of a session's events as server-sent events, parsed by hand; it comes back with `Last-Event-ID` when its line breaks. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import type { Credentials } from './session-api.ts'
import { SessionTranscript } from './session-transcript.ts'

const comeBackMs = 20

/** One event of a stream: its fields, as they stand on the wire. */
export interface StreamedEvent {
  event: string
  id: string | null
  data: string
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, for lines that end in LF. */
export class SseParser {
  #rest = ''

  push(text: string): StreamedEvent[] {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    return blocks.flatMap(parseBlock)
  }
}

function parseBlock(block: string): StreamedEvent[] {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) fields.set(name, value)
  }
  const data = fields.get('data')
  return data === undefined ? [] : [{ event: fields.get('event') ?? 'message', id: fields.get('id') ?? null, data }]
}

export class SessionStream {
  readonly transcript = new SessionTranscript()
  onFrame: (frame: ServerFrame) => void = () => {}
  readonly #server: Credentials
  readonly #sessionId: string
  readonly #left = new AbortController()
  #lastEventId: string | null = null

  constructor(server: Credentials, sessionId: string) {
    this.#server = server
    this.#sessionId = sessionId
  }

  /** Follows until `leave`, whatever happens to the line. */
  async follow(): Promise<void> {
    while (!this.#left.signal.aborted) {
      this.transcript.begin()
      // A line that breaks rejects, in the request or in the middle of its answer.
      await this.#read().catch(() => {})
      await sleep(comeBackMs)
    }
  }

  leave(): void {
    this.#left.abort()
  }

  async #read(): Promise<void> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#server.key}`, accept: 'text/event-stream' }
    if (this.#lastEventId !== null) headers['last-event-id'] = this.#lastEventId
    const response = await fetch(`${this.#server.url}/v1/sessions/${this.#sessionId}/events`, { headers, signal: this.#left.signal })
    if (response.status >= 400 && response.status < 500) this.transcript.faults.push(`ATT1: refused with ${response.status}`)
    if (!response.ok || !response.body) return
    const parser = new SseParser()
    const decoder = new TextDecoder()
    for await (const bytes of response.body) for (const event of parser.push(decoder.decode(bytes, { stream: true }))) this.#take(event)
  }

  #take({ event, id, data }: StreamedEvent): void {
    const frame = JSON.parse(data) as ServerFrame
    if (event !== frame.type) this.transcript.faults.push(`ATT1: a ${frame.type} came as ${event}`)
    if (id !== null) this.#lastEventId = id
    this.transcript.take(frame)
    this.onFrame(frame)
  }
}
