/**
 * A small client of a session's socket, as somebody would write it from the API's page: it attaches after its cursor, comes
 * back when the line breaks, gives each command an id and a key, and sends it again on every attach until it is answered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import type { Credentials } from './session-api.ts'
import { SessionTranscript } from './session-transcript.ts'

export type Reply = Extract<ServerFrame, { type: 'reply' }>
export type CommandFrame =
  | { type: 'turn'; input: string; whenBusy?: string }
  | { type: 'update'; patch: object }
  | { type: 'cancel'; turnId: string }
  | { type: 'approve'; approvalId: string; decision: 'allow' | 'deny'; scope?: 'once' | 'session'; reason?: string }

const comeBackMs = 20
/** A handshake that neither opens nor fails for so long is given up. */
const attachMs = 15_000

export interface Closing {
  code: number
  reason: string
}

export class SessionSocket {
  readonly transcript = new SessionTranscript()
  /** Closings that this client did not ask for. */
  readonly losses: Closing[] = []
  /** Called with every frame, after the transcript has it. */
  onFrame: (frame: ServerFrame) => void = () => {}
  pongs = 0
  readonly #sessionId: string
  readonly #server: Credentials
  readonly #waiting = new Map<string, { text: string; answer: (reply: Reply) => void }>()
  #socket: WebSocket | null = null
  #isWanted = false
  #commands = 0
  #readyWaiters: (() => void)[] = []
  #left: ((closing: Closing) => void) | null = null

  constructor(server: Credentials, sessionId: string) {
    this.#server = server
    this.#sessionId = sessionId
  }

  /** Attaches, and stays attached whatever happens to the line; resolves with the first `ready`. */
  attach(): Promise<void> {
    this.#isWanted = true
    this.#connect()
    return new Promise((resolve) => this.#readyWaiters.push(resolve))
  }

  /** Closes with this code, or with none; resolves with what the socket's close event says. */
  leave(code?: number, reason?: string): Promise<Closing> {
    this.#isWanted = false
    return new Promise((resolve) => {
      this.#left = resolve
      this.#socket?.close(code, reason)
    })
  }

  ping(): void {
    this.#socket?.send('ping')
  }

  /** Resolves with the reply of an accepted command, or of one that was refused for good. */
  async command(frame: CommandFrame, key: string): Promise<Reply> {
    for (;;) {
      const reply = await this.#ask(frame, key)
      if (reply.ok || !reply.error.retryable) return reply
      await sleep(comeBackMs)
    }
  }

  #ask(frame: CommandFrame, key: string): Promise<Reply> {
    const id = String(++this.#commands)
    const text = JSON.stringify({ id, key, ...frame })
    return new Promise((answer) => {
      this.#waiting.set(id, { text, answer })
      if (this.transcript.isReady) this.#socket?.send(text)
    })
  }

  #connect(): void {
    const address = `${this.#server.url.replace('http', 'ws')}/v1/sessions/${this.#sessionId}/socket?after=${this.transcript.cursor}`
    const socket = new WebSocket(address, ['dormouse.v1', `bearer.${this.#server.key}`])
    this.#socket = socket
    this.transcript.begin()
    const patience = setTimeout(() => !this.transcript.isReady && socket.close(), attachMs)
    socket.addEventListener('message', ({ data }) => this.#receive(String(data)))
    socket.addEventListener('close', ({ code, reason }) => {
      clearTimeout(patience)
      this.#closed({ code, reason })
    })
  }

  #receive(text: string): void {
    if (text === 'pong') return void (this.pongs += 1)
    const frame = JSON.parse(text) as ServerFrame
    if (frame.type === 'reply') this.#answer(frame)
    else this.transcript.take(frame)
    if (frame.type === 'ready') this.#ready()
    this.onFrame(frame)
  }

  #answer(reply: Reply): void {
    this.#waiting.get(String(reply.id))?.answer(reply)
    this.#waiting.delete(String(reply.id))
  }

  #ready(): void {
    for (const { text } of this.#waiting.values()) this.#socket?.send(text)
    for (const resolve of this.#readyWaiters.splice(0)) resolve()
  }

  #closed(closing: Closing): void {
    this.transcript.begin()
    this.#left?.(closing)
    if (!this.#isWanted) return
    this.losses.push(closing)
    // 44xx are final: the same request would be refused again.
    if (closing.code >= 4400 && closing.code < 4500) this.transcript.faults.push(`ATT1: refused with ${closing.code} ${closing.reason}`)
    else setTimeout(() => this.#isWanted && this.#connect(), comeBackMs)
  }
}
