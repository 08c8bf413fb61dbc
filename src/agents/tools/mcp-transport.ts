/**
 * Streamable HTTP (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports) for one exchange with an MCP
 * server. Every request passes the address guard and every answer is bounded. There is no stream that stays open beside the
 * calls: nobody would listen to it, and in workerd it could not outlive the request that opened it.
 */
import { MCPClientError, validateJSONRPCMessage, type JSONRPCMessage, type MCPTransport, type MCPTransportSendOptions } from '@ai-sdk/mcp'
import { limits } from '../../protocol/limits.ts'
import type { McpServer } from '../../protocol/agent.ts'
import type { AddressGuard } from './address-guard.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { messagesIn, NotMcp, textOf } from './mcp-body.ts'

/** Since this version there are no sessions, and every request says in headers what it asks. */
const STATELESS_VERSION = '2026-07-28'
/** For what follows a call and is not waited for: that it was cancelled, that the session is over. */
const afterwordMs = 5000
/** Of an answer that refuses: enough for a JSON-RPC error. */
const refusalBytes = 64 * 1024
/** Servers that move `/mcp` to `/mcp/` are common. */
const maxRedirects = 3

export interface McpTransportOptions {
  server: McpServer
  guard: AddressGuard
  /** Of a session that goes on; null: none does. */
  sessionId: string | null
  /** Goes along with the tool call. */
  toolCallId: string | null
  /** Sees each result before anybody else does, and answers what is to be seen of it. */
  repair?: (result: unknown) => unknown
}

/** What went wrong in words of ours. To the client it says that another version of the protocol is worth a try. */
export class McpTransportError extends MCPClientError {
  constructor(message: string) {
    super({ message })
  }
}

type Request = Extract<JSONRPCMessage, { method: string; id: unknown }>

export class McpTransport implements MCPTransport {
  readonly supportsProtocolVersionDiscovery = true
  readonly waitsForProtocolVersionDiscovery = true
  readonly supportsMcpToolParameterHeaders = true
  onmessage?: (message: JSONRPCMessage) => void
  onclose?: () => void
  onerror?: (error: Error) => void
  protocolVersion = STATELESS_VERSION
  sessionId: string | null
  /** The server does not know the session any more. */
  isSessionLost = false
  readonly #options: McpTransportOptions

  constructor(options: McpTransportOptions) {
    this.#options = options
    this.sessionId = options.sessionId
  }

  /** Nothing is open between requests, so there is nothing to begin, and nothing to end but the session. */
  async start(): Promise<void> {}

  async close(): Promise<void> {
    this.onclose?.()
  }

  /** Returns when the answer was passed to `onmessage`; rejects when there is none. */
  async send(message: JSONRPCMessage, { signal, headers }: MCPTransportSendOptions = {}): Promise<void> {
    if (!isRequest(message)) return this.#tell(message, signal)
    try {
      await this.#ask(message, signal, headers)
    } catch (error) {
      if (signal?.aborted) this.#cancel(message)
      throw error instanceof NotMcp ? new McpTransportError('what it answers is not MCP') : error
    }
  }

  /** Ends the session at the server, without waiting for it. */
  endSession(): void {
    if (this.sessionId === null) return
    const request = { method: 'DELETE', headers: this.#headers({}), signal: AbortSignal.timeout(afterwordMs) }
    void this.#fetch(request).then(discard, () => {})
  }

  async #tell(message: JSONRPCMessage, signal: AbortSignal | undefined): Promise<void> {
    const response = await this.#post(message, signal)
    discard(response)
    if (!response.ok) throw refused(response.status)
  }

  async #ask(message: Request, signal: AbortSignal | undefined, headers: Record<string, string> | undefined): Promise<void> {
    const response = await this.#post(this.#stamped(message), signal, { ...this.#requestHeaders(message), ...headers })
    if (message.method === 'initialize') this.sessionId = response.headers.get('mcp-session-id')
    const bodies = response.ok ? messagesIn(response, limits.outputBytes) : this.#refusal(response, message)
    for await (const body of bodies) if (this.#deliver(body, message)) return
    throw new McpTransportError('it ended its answer without a result')
  }

  /** True when it was the answer. */
  #deliver(body: unknown, { id }: Request): boolean {
    const message = validated(this.#options.repair?.(body) ?? body)
    if ('method' in message) {
      this.onmessage?.(message)
      return false
    }
    // Whatever is no answer to this request would end the client with an error.
    if (message.id !== id) return false
    this.onmessage?.(message)
    return true
  }

  /** Some servers refuse with a JSON-RPC error, which says more than the status. */
  async *#refusal(response: Response, { id }: Request): AsyncGenerator {
    const isKept = this.sessionId !== null && this.sessionId === this.#options.sessionId
    // The specification says 404; servers made from the official example say 400.
    this.isSessionLost = isKept && (response.status === 404 || response.status === 400)
    const text = await textOf(response, refusalBytes).catch(() => '')
    const error = this.isSessionLost ? null : errorIn(text)
    if (error === null) throw refused(response.status)
    yield { jsonrpc: '2.0', id, error }
  }

  #stamped(message: Request): JSONRPCMessage {
    const { toolCallId } = this.#options
    // The protocol has no idempotency key of its own; `_meta` reaches the tool behind gateways that drop headers.
    if (message.method !== 'tools/call' || toolCallId === null) return message
    const _meta = { ...message.params?._meta, 'dormouse/toolCallId': toolCallId }
    return { ...message, params: { ...message.params, _meta } }
  }

  #requestHeaders({ method, params }: Request): Record<string, string> {
    const { toolCallId } = this.#options
    const key = method === 'tools/call' && toolCallId !== null ? { 'Idempotency-Key': toolCallId } : {}
    if (!this.#isStateless) return key
    const name = method === 'tools/call' && typeof params?.name === 'string' ? { 'Mcp-Name': headerValue(params.name) } : {}
    return { 'Mcp-Method': method, ...name, ...key }
  }

  /** An abandoned connection alone does not end a call, before the stateless version. */
  #cancel({ id, method }: Request): void {
    if (method !== 'tools/call' || this.#isStateless) return
    const message = { jsonrpc: '2.0' as const, method: 'notifications/cancelled', params: { requestId: id, reason: 'The call was ended.' } }
    void this.#post(message, AbortSignal.timeout(afterwordMs)).then(discard, () => {})
  }

  #post(message: JSONRPCMessage, signal: AbortSignal | undefined, more: Record<string, string> = {}): Promise<Response> {
    const headers = this.#headers({ 'Content-Type': 'application/json', ...more })
    return this.#fetch({ method: 'POST', headers, body: JSON.stringify(message), ...(signal && { signal }) })
  }

  #fetch(init: RequestInit): Promise<Response> {
    const { guard, server } = this.#options
    return guardedFetch(guard, server.url, init, { maxRedirects })
  }

  #headers(more: Record<string, string>): Headers {
    const headers = new Headers(this.#options.server.headers)
    const own = { Accept: 'application/json, text/event-stream', 'MCP-Protocol-Version': this.protocolVersion, ...more }
    for (const [name, value] of Object.entries(own)) headers.set(name, value)
    if (this.sessionId !== null && !this.#isStateless) headers.set('Mcp-Session-Id', this.sessionId)
    return headers
  }

  get #isStateless(): boolean {
    return this.protocolVersion >= STATELESS_VERSION
  }
}

function isRequest(message: JSONRPCMessage): message is Request {
  return 'method' in message && 'id' in message
}

function validated(body: unknown): JSONRPCMessage {
  try {
    return validateJSONRPCMessage(body)
  } catch {
    throw new NotMcp()
  }
}

function errorIn(text: string): unknown {
  try {
    const message = validateJSONRPCMessage({ ...JSON.parse(text), id: 0 })
    return 'error' in message ? message.error : null
  } catch {
    return null
  }
}

function discard(response: Response): void {
  void response.body?.cancel().catch(() => {})
}

function refused(status: number): McpTransportError {
  const why = status === 401 || status === 403 ? 'it refuses the credentials of its definition' : 'it refuses the request'
  return new McpTransportError(`${why} (HTTP ${status})`)
}

/** As the stateless version prescribes for names that are no plain ASCII. */
function headerValue(text: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text)) return text
  const bytes = new TextEncoder().encode(text)
  return `=?base64?${btoa(String.fromCharCode(...bytes))}?=`
}
