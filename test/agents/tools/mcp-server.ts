/** An MCP server on loopback that a test makes lie: it answers each method as it is told to, and keeps what it was asked. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { McpServer } from '../../../src/protocol/agent.ts'
import type { ToolEnvironment } from '../../../src/agents/tools/tool-environment.ts'

export interface Asked {
  /** Of HTTP. */
  verb: string
  /** Of JSON-RPC; empty where there is none. */
  method: string
  id: unknown
  params: Record<string, unknown>
  headers: IncomingHttpHeaders
  path: string
  /** The client went away before it was answered. */
  abandoned: Promise<void>
}

/** A result, or an answer that was written by hand: then undefined. */
export type Reply = (asked: Asked, response: ServerResponse) => unknown

export const echo = {
  name: 'echo',
  description: 'Says it again.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}

const handshake = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'liar', version: '1' } }

export class LyingServer {
  readonly asked: Asked[] = []
  readonly #replies: Record<string, Reply>
  readonly #server: Server
  /** Sessions that it knows. */
  readonly sessions = new Set<string>()
  /** What it says to a session that it does not know. */
  refusal = 404
  /** It knows no session, not even one that it just began. */
  isForgetful = false

  private constructor(replies: Record<string, Reply>) {
    this.#replies = {
      initialize: (_, response) => {
        const id = `session-${this.asked.length}`
        if (!this.isForgetful) this.sessions.add(id)
        response.setHeader('mcp-session-id', id)
        return handshake
      },
      'tools/list': () => ({ tools: [echo] }),
      'tools/call': ({ params }) => ({ content: [{ type: 'text', text: JSON.stringify(params.arguments) }] }),
      ...replies,
    }
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async start(replies: Record<string, Reply> = {}, port = 0): Promise<LyingServer> {
    const server = new LyingServer(replies)
    server.#server.listen(port, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get environment(): ToolEnvironment {
    return { DORMOUSE_ALLOW_PRIVATE_HOSTS: `127.0.0.1:${this.port}` }
  }

  definition(more: Partial<McpServer> = {}): McpServer {
    return { name: 'liar', url: `http://127.0.0.1:${this.port}/mcp`, ...more }
  }

  /** From here on it answers the method so. */
  reply(method: string, reply: Reply): void {
    this.#replies[method] = reply
  }

  methods(): string[] {
    return this.asked.map(({ verb, method }) => (verb === 'POST' ? method : verb))
  }

  count(method: string): number {
    return this.methods().filter((each) => each === method).length
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
    const { id, method = '', params = {} } = text === '' ? {} : JSON.parse(text)
    const abandoned = new Promise<void>((resolve) => response.once('close', () => !response.writableEnded && resolve()))
    const { headers, method: verb = '', url: path = '' } = request
    const asked = { verb, method, id, params, headers, path, abandoned }
    this.asked.push(asked)
    this.#answer(asked, response)
  }

  #answer(asked: Asked, response: ServerResponse): void {
    const { verb, method, id, headers } = asked
    const session = headers['mcp-session-id']
    if (session !== undefined && !this.sessions.has(String(session))) return void response.writeHead(this.refusal).end()
    const reply = this.#replies[verb === 'POST' ? method : verb]
    if (!reply) return void response.writeHead(verb === 'POST' && id === undefined ? 202 : 400).end()
    const result = reply(asked, response)
    if (result === undefined) return
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }
}

/** Sends a JSON-RPC answer as one event of a stream that stays open. */
export function asEvent(response: ServerResponse, id: unknown, result: unknown): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`)
}
