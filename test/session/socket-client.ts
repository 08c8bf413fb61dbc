/** A client's end of a session's socket: it keeps every frame, and puts streamed text together as clients are told to. */
import * as v from 'valibot'
import type { Event } from '../../src/protocol/event.ts'
import { ServerFrameSchema, type ReadyFrame, type ServerFrame } from '../../src/protocol/frame.ts'
import type { Part } from '../../src/protocol/message.ts'
import { call } from '../edge/edge-client.ts'

type Reply = Extract<ServerFrame, { type: 'reply' }>

export class SocketClient {
  readonly frames: ServerFrame[] = []
  readonly texts: string[] = []
  closeCode: number | null = null
  readonly socket: WebSocket
  #wake: () => void = () => {}

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => this.#receive(String(data)))
    socket.addEventListener('close', ({ code }) => {
      this.closeCode = code
      this.#wake()
    })
    socket.accept()
  }

  #receive(text: string): void {
    this.texts.push(text)
    if (text !== 'pong') {
      const frame: unknown = JSON.parse(text)
      v.assert(ServerFrameSchema, frame)
      this.frames.push(frame)
    }
    this.#wake()
  }

  get events(): Event[] {
    return this.frames.flatMap((frame) => (frame.type === 'event' ? [frame.event] : []))
  }

  get seqs(): number[] {
    return this.events.map(({ seq }) => seq)
  }

  get readies(): ReadyFrame[] {
    return this.frames.filter((frame) => frame.type === 'ready')
  }

  /** Waits until it holds, or fails with what there is. */
  async until(holds: (client: this) => boolean, withinMs = 15_000): Promise<this> {
    const endsAt = Date.now() + withinMs
    while (!holds(this)) {
      const leftMs = endsAt - Date.now()
      if (leftMs <= 0)
        throw new Error(`Not within ${withinMs} ms; closed ${this.closeCode}; last: ${this.texts.slice(-3).join('\n').slice(0, 1500)}`)
      await Promise.race([scheduler.wait(Math.min(leftMs, 50)), new Promise<void>((resolve) => (this.#wake = resolve))])
    }
    return this
  }

  ready(): Promise<this> {
    return this.until(({ readies }) => readies.length > 0)
  }

  async closed(withinMs?: number): Promise<number | null> {
    await this.until(({ closeCode }) => closeCode !== null, withinMs)
    return this.closeCode
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame))
  }

  /** Sends a command and waits for its reply. */
  async ask(frame: { id: string | number; type: string; [field: string]: unknown }): Promise<Reply> {
    this.send(frame)
    return this.reply(frame.id)
  }

  async reply(id: string | number | null): Promise<Reply> {
    const find = () => this.frames.find((frame) => frame.type === 'reply' && frame.id === id)
    await this.until(() => find() !== undefined)
    const found = find()
    if (found?.type !== 'reply') throw new Error('No reply')
    return found
  }

  /** Text of a message as `ready` and deltas told it, inputs of tool calls included. */
  streamed(messageId: string): string {
    return this.streamedParts(messageId).join('')
  }

  /** The same, part by part: tails that were not seen are appended, a gap fails (rule ATT2). */
  streamedParts(messageId: string): string[] {
    const parts: string[] = []
    for (const frame of this.frames) {
      if (frame.type === 'ready' && frame.partial?.messageId === messageId) {
        parts.splice(0, parts.length, ...frame.partial.parts.map(streamedText))
      }
      if (frame.type !== 'delta' || frame.messageId !== messageId) continue
      const seen = parts[frame.part] ?? ''
      if (frame.offset > seen.length) throw new Error(`A delta at ${frame.offset} follows ${seen.length} units`)
      parts[frame.part] = seen + frame.text.slice(seen.length - frame.offset)
    }
    return parts
  }
}

/** The input of a call is a text while it is being written. */
function streamedText(part: Part): string {
  if (part.type === 'tool-call') return typeof part.input === 'string' ? part.input : JSON.stringify(part.input)
  return 'text' in part ? part.text : ''
}

/** `after`: a query value; left out, the socket begins at the head. */
export async function attach(id: string, after?: number | 'head', credential?: string): Promise<SocketClient> {
  const query = after === undefined ? '' : `?after=${after}`
  const options = { headers: { upgrade: 'websocket' }, ...(credential !== undefined && { credential }) }
  const { status, webSocket } = await call('GET', `/v1/sessions/${id}/socket${query}`, options)
  if (!webSocket) throw new Error(`The upgrade was answered with ${status}`)
  return new SocketClient(webSocket)
}
