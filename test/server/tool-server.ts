/**
 * The owner of some HTTP tools: checks the signature of every call with the reference library of Standard Webhooks, does what
 * the address says, and remembers who called with which id, and how the call ended.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'

const pollMs = 10
const patienceMs = 20_000

export interface ToolVisit {
  path: string
  /** The `webhook-id`: the idempotency key of the call. */
  id: string
  /** What was sent, and only if its signature is good. */
  body: unknown
  isSigned: boolean
  end: 'answered' | 'aborted' | null
}

export class ToolServer {
  readonly url: string
  /** `host:port`, as a server is told whom its tools may reach. */
  readonly host: string
  readonly secret = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`
  readonly visits: ToolVisit[] = []
  readonly #server: Server
  readonly #held = new Set<() => void>()
  readonly #released = new Set<string>()

  private constructor(server: Server) {
    this.#server = server
    // Listening on an address and a port, so that this is no path of a Unix socket.
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    this.url = `http://${this.host}`
  }

  static start(): Promise<ToolServer> {
    return new Promise((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const tools = new ToolServer(server)
        server.on('request', (request, response) => void tools.#serve(request, response))
        resolve(tools)
      })
    })
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  visitsTo(path: string): ToolVisit[] {
    return this.visits.filter((visit) => visit.path === path)
  }

  /** Lets calls of `/hold/…` be answered, those to come as well. */
  release(path: string): void {
    this.#released.add(path)
    for (const look of this.#held) look()
  }

  /** Resolves when so many calls of the address have arrived. */
  async reached(path: string, count = 1): Promise<void> {
    const deadline = Date.now() + patienceMs
    while (this.visitsTo(path).length < count) {
      if (Date.now() > deadline) throw new Error(`${path} was not called ${count} times: ${JSON.stringify(this.visits)}`)
      await sleep(pollMs)
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const visit = this.#visit(request, Buffer.concat(pieces).toString())
    this.visits.push(visit)
    response.once('close', () => (visit.end ??= response.writableFinished ? 'answered' : 'aborted'))
    if (!visit.isSigned) return reply(response, 401, { error: 'The signature is wrong.' })
    const [, action] = visit.path.split('/')
    if (action === 'hold') await this.#hold(visit.path, response)
    if (response.destroyed) return
    if (action === 'fail') return reply(response, 500, { error: 'Out of order.' })
    if (action === 'redirect') return void response.writeHead(302, { location: 'http://127.0.0.1:9/private' }).end()
    if (action === 'large') return reply(response, 200, { text: 'x'.repeat(10 * 1024 * 1024) })
    reply(response, 200, { done: visit.path })
  }

  #visit({ url = '', headers }: IncomingMessage, text: string): ToolVisit {
    const id = String(headers['webhook-id'])
    try {
      const signature = {
        'webhook-timestamp': String(headers['webhook-timestamp']),
        'webhook-signature': String(headers['webhook-signature']),
      }
      const body = new Webhook(this.secret).verify(text, { 'webhook-id': id, ...signature })
      return { path: url, id, body, isSigned: true, end: null }
    } catch {
      return { path: url, id, body: null, isSigned: false, end: null }
    }
  }

  #hold(path: string, response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#released.has(path) && !response.destroyed) return
        this.#held.delete(look)
        resolve()
      }
      this.#held.add(look)
      response.once('close', look)
      look()
    })
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
