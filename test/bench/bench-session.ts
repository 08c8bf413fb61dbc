/** One session and a socket attached to it, driven as a chat client would: a command with a key, then wait for the end. */
import { randomUUID } from 'node:crypto'
import { BenchSocket } from './bench-socket.ts'
import type { BenchServer } from './bench-server.ts'

/** Forty words at once: what the figures of this benchmark are about, unless they say otherwise. */
export const turnInput = '/stream 40 0'

const turnMs = 30_000
const ended = /"type":"turn\.(completed|failed|cancelled|interrupted)"/

/** `fields`: of the session that is made. */
export async function createSession(server: BenchServer, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const response = await fetch(`http://${server.host}:${server.port()}/v1/sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  if (response.status !== 201) throw new Error(`No session was made: ${await response.text()}`)
  const { id } = (await response.json()) as { id: string }
  return id
}

export class BenchSession {
  readonly id: string
  readonly socket: BenchSocket
  /** Milliseconds from the first byte of the handshake to `hello`, and to `ready`. */
  readonly helloMs: number
  readonly readyMs: number
  #onText: (text: string) => void = () => {}
  #commands = 0

  private constructor(id: string, socket: BenchSocket, times: { helloMs: number; readyMs: number }) {
    this.id = id
    this.socket = socket
    this.helloMs = times.helloMs
    this.readyMs = times.readyMs
  }

  /** Attaches from now on; resolves when the server has said `ready`. */
  static async attach(server: BenchServer, id: string): Promise<BenchSession> {
    const startedAt = performance.now()
    let helloMs = 0
    let onReady = () => {}
    const ready = new Promise<void>((resolve) => (onReady = resolve))
    const address = { host: server.host, port: server.port(), path: `/v1/sessions/${id}/socket`, bearer: server.key }
    const socket = await BenchSocket.open(address, (text) => {
      if (text.startsWith('{"type":"hello"')) helloMs = performance.now() - startedAt
      if (text.startsWith('{"type":"ready"')) onReady()
    })
    const gone = new Promise<never>((_, reject) => (socket.onClose = (reason) => reject(new Error(`Before ready: ${reason}`))))
    await Promise.race([ready, gone])
    const session = new BenchSession(id, socket, { helloMs, readyMs: performance.now() - startedAt })
    socket.onText = (text) => session.#onText(text)
    return session
  }

  static async create(server: BenchServer, fields: Readonly<Record<string, unknown>> = {}): Promise<BenchSession> {
    return BenchSession.attach(server, await createSession(server, fields))
  }

  /** Every frame that arrives from here on, until the next turn or watch. */
  watch(onText: (text: string) => void): void {
    this.#onText = onText
  }

  /** Submits a turn; resolves with the milliseconds from sending it to its terminal event. */
  turn(onFrame: (text: string) => void = () => {}, input = turnInput): Promise<number> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now()
      const patience = setTimeout(() => reject(new Error(`A turn did not end within ${turnMs} ms`)), turnMs)
      const end = (settle: () => void) => {
        clearTimeout(patience)
        this.#onText = () => {}
        settle()
      }
      this.socket.onClose = (reason) => end(() => reject(new Error(`In a turn: ${reason}`)))
      this.#onText = (text) => {
        onFrame(text)
        const failure = failureIn(text)
        if (failure !== null) end(() => reject(new Error(`A turn failed: ${failure}`)))
        else if (ended.test(text)) end(() => resolve(performance.now() - startedAt))
      }
      this.command({ type: 'turn', input })
    })
  }

  /** A key makes it safe to send a command again, so a careful client gives one to each. */
  command(fields: { type: string; [field: string]: unknown }): void {
    this.socket.send(JSON.stringify({ id: ++this.#commands, key: randomUUID(), ...fields }))
  }

  close(): void {
    this.socket.close()
  }
}

/** Looks at the text alone: parsing every frame would cost the client more than the server spends on the turn. */
function failureIn(text: string): string | null {
  const isRefusal = text.startsWith('{"type":"reply"') && text.includes('"ok":false')
  const hasEndedBadly = ended.exec(text)?.[1] ?? 'completed'
  return isRefusal || hasEndedBadly !== 'completed' ? text.slice(0, 300) : null
}
