/**
 * Sends one scripted answer: piece after piece, with its pauses, its gates and its faults, until all is said or the client is
 * gone. The headers leave with the first byte, so that a fault can come before them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isWords, type Answer, type Piece } from './answer.ts'
import { finishReasonOf, type Voice, type Wire } from './dialect.ts'
import type { RecordedCall } from './recorded-call.ts'

/** Nothing more is to be sent: the client went away, or the script says so. */
class Over extends Error {}

/** Resolves when a test opens the gate. */
export type Gate = (name: string, signal: AbortSignal) => Promise<void>

export class Delivery {
  readonly #response: ServerResponse
  readonly #call: RecordedCall
  readonly #wire: Wire
  readonly #gate: Gate
  /** What stands for `{key}` in a failure's words. */
  #key = ''
  /** Aborted when the connection is closed. */
  readonly #gone = new AbortController()

  constructor(response: ServerResponse, call: RecordedCall, wire: Wire, gate: Gate) {
    this.#response = response
    this.#call = call
    this.#wire = wire
    this.#gate = gate
    response.socket?.setNoDelay(true)
    response.once('close', () => this.#closed())
  }

  async send(answer: Answer, voice: Voice, key: string | null): Promise<void> {
    this.#key = key ?? ''
    try {
      if ((answer.status ?? 200) === 200) await this.#stream(answer, voice)
      else this.json(answer.status ?? 200, this.#failure(answer), answer.headers)
    } catch (error) {
      // Whatever is cut short by the end of the connection has nobody to be told to.
      if (!(error instanceof Over) && !this.#gone.signal.aborted) throw error
    }
  }

  json(status: number, body: unknown, headers: Record<string, string> = {}): void {
    const text = JSON.stringify(body)
    this.#call.status = status
    this.#call.bytesSent += Buffer.byteLength(text)
    this.#response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
  }

  async #stream(answer: Answer, voice: Voice): Promise<void> {
    const { segmentBytes = Infinity } = answer
    let isOpen = false
    for (const piece of this.#wire.arrange(answer.pieces ?? [])) {
      const opening = !isOpen && opens(piece) ? voice.open() : ''
      isOpen ||= opens(piece)
      await this.#write(opening + this.#textOf(piece, voice), segmentBytes)
      await this.#act(piece)
    }
    await this.#write((isOpen ? '' : voice.open()) + voice.close(finishReasonOf(answer)), segmentBytes)
    this.#response.end()
  }

  #textOf(piece: Piece, voice: Voice): string {
    if (isWords(piece)) return voice.say(piece)
    if (piece.type === 'clock') return voice.say({ type: 'text', text: `<${(performance.timeOrigin + performance.now()).toFixed(3)}>` })
    if (piece.type === 'garbage') return piece.text
    return piece.type === 'failure' ? this.#wire.failureEvent(piece.status, this.#words(piece.message)) : ''
  }

  async #act(piece: Piece): Promise<void> {
    if (piece.type === 'pause') await sleep(piece.ms, undefined, { signal: this.#gone.signal })
    if (piece.type === 'hold') await this.#hold(piece.gate)
    if (piece.type === 'end' || piece.type === 'failure') this.#response.end()
    if (piece.type === 'reset') this.#reset()
    if (piece.type === 'end' || piece.type === 'failure' || piece.type === 'reset') throw new Over()
  }

  async #hold(gate: string): Promise<void> {
    this.#call.holdingAt = gate
    await this.#gate(gate, this.#gone.signal)
    this.#call.holdingAt = null
  }

  #reset(): void {
    this.#end('reset')
    this.#response.socket?.resetAndDestroy()
  }

  async #write(text: string, segmentBytes: number): Promise<void> {
    if (text === '') return
    if (!this.#response.headersSent) this.#head()
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += segmentBytes) {
      this.#gone.signal.throwIfAborted()
      const segment = bytes.subarray(at, at + segmentBytes)
      this.#call.bytesSent += segment.length
      const hasRoom = this.#response.write(segment)
      // Without a turn of the event loop between them, segments leave together.
      if (segmentBytes !== Infinity) await sleep(1)
      if (!hasRoom) await this.#drained()
    }
  }

  #head(): void {
    this.#call.status = 200
    this.#response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#response.once('drain', resolve)
      this.#gone.signal.addEventListener('abort', () => reject(new Over()), { once: true })
    })
  }

  #failure({ status = 500, message = 'Scripted to fail.' }: Answer): unknown {
    return this.#wire.failure(status, this.#words(message))
  }

  #words(message: string): string {
    return message.replaceAll('{key}', this.#key)
  }

  #closed(): void {
    this.#end(this.#response.writableFinished ? 'completed' : 'aborted')
    this.#gone.abort(new Over())
  }

  #end(end: RecordedCall['end']): void {
    this.#call.end ??= end
    this.#call.endedAt ??= Date.now()
  }
}

/** Whether the stream's opening event stands before it. */
function opens({ type }: Piece): boolean {
  return type !== 'pause' && type !== 'hold' && type !== 'reset' && type !== 'end'
}

export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString()
  return text === '' ? null : (JSON.parse(text) as unknown)
}
