/**
 * Exchanges with an MCP server: reading its list of tools, calling one. A client is made for each exchange and ends with it,
 * since in workerd no connection may be used by another object than the one that made it.
 */
import { createMCPClient, MCPClientError, type CallToolResult, type MCPClient } from '@ai-sdk/mcp'
import type { McpServer } from '../../protocol/agent.ts'
import type { AddressGuard } from './address-guard.ts'
import type { McpSession, McpSessions } from './mcp-sessions.ts'
import { McpTransport, McpTransportError, type McpTransportOptions } from './mcp-transport.ts'
import { ListedTools, type McpLog, type McpToolList } from './mcp-tool-list.ts'
import { ToolError, type JsonSchema, type ToolCall } from './tool.ts'

export interface McpEndpoint {
  server: McpServer
  guard: AddressGuard
}

export interface McpCall {
  /** Its own name, at the server. */
  tool: string
  inputSchema: JsonSchema
  input: Record<string, unknown>
  /** As its list was read: the server knows sessions, and is not asked whether it does. */
  hasSessions: boolean
  /** What tells the conversations with servers apart. */
  sessionKey: string
}

/** A server that names a next page for ever is not followed. */
const maxPages = 64

/** Throws `ToolError`. */
export async function readToolList(endpoint: McpEndpoint, log: McpLog, signal: AbortSignal): Promise<McpToolList> {
  const listed = new ListedTools(endpoint.server, log)
  const repair = (body: unknown) => listed.take(body)
  try {
    const { client, transport } = await connect({ ...endpoint, sessionId: null, toolCallId: null, repair }, { signal })
    await readPages(client, listed, signal)
    // Nobody's conversation: it would only take up room at the server.
    transport.endSession()
    return listed.result(client.initializeResult.protocolVersion < '2026')
  } catch (error) {
    throw failureOf(endpoint.server, signal.aborted ? new ToolError('it did not answer in time') : error)
  }
}

async function readPages(client: MCPClient, listed: ListedTools, signal: AbortSignal): Promise<void> {
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const { nextCursor } = await client.listTools({ ...(cursor !== undefined && { params: { cursor } }), options: { signal } })
    if (nextCursor === undefined || nextCursor === cursor || listed.isComplete) return
    cursor = nextCursor
  }
}

/** Throws `ToolError`, or the reason of the call's signal. */
export async function callTool(endpoint: McpEndpoint, sessions: McpSessions, call: McpCall, context: ToolCall): Promise<CallToolResult> {
  try {
    const kept = sessions.get(call.sessionKey)
    const answer = kept && (await resume(endpoint, sessions, kept, call, context))
    return answer ?? (await begin(endpoint, sessions, call, context))
  } catch (error) {
    context.signal.throwIfAborted()
    throw failureOf(endpoint.server, error)
  }
}

/** Null: the server has lost the session, and did nothing. */
async function resume(
  endpoint: McpEndpoint,
  sessions: McpSessions,
  session: McpSession,
  call: McpCall,
  { toolCallId, signal }: ToolCall,
): Promise<CallToolResult | null> {
  const options = { ...endpoint, sessionId: session.id, toolCallId }
  const { client, transport } = await connect(options, { signal, initialInitializeResult: session.initializeResult })
  try {
    return await ask(client, call, signal)
  } catch (error) {
    if (!transport.isSessionLost) throw error
    sessions.forget(call.sessionKey, session)
    return null
  }
}

async function begin(endpoint: McpEndpoint, sessions: McpSessions, call: McpCall, context: ToolCall): Promise<CallToolResult> {
  const { toolCallId, signal } = context
  const options = { ...endpoint, sessionId: null, toolCallId }
  const { client, transport } = await connect(options, { signal, protocolVersionDiscovery: !call.hasSessions })
  const { initializeResult } = client
  if (initializeResult.protocolVersion >= '2026') return ask(client, call, signal)
  const session = { id: transport.sessionId, initializeResult }
  // Calls of one step run side by side. What one of them changes at the server, later calls must find again.
  const first = sessions.keep(call.sessionKey, session)
  if (first === session) return ask(client, call, signal)
  transport.endSession()
  return (await resume(endpoint, sessions, first, call, context)) ?? begin(endpoint, sessions, call, context)
}

function ask(client: MCPClient, { tool, inputSchema, input }: McpCall, signal: AbortSignal): Promise<CallToolResult> {
  // Tells the client which arguments the tool wants in headers too.
  client.toolsFromDefinitions({ tools: [{ name: tool, inputSchema: { ...inputSchema, type: 'object' } }] })
  return client.callTool({ name: tool, arguments: input, options: { signal } })
}

interface ConnectOptions extends Pick<Parameters<typeof createMCPClient>[0], 'initialInitializeResult' | 'protocolVersionDiscovery'> {
  signal: AbortSignal
}

async function connect(
  options: McpTransportOptions,
  { signal, ...more }: ConnectOptions,
): Promise<{ client: MCPClient; transport: McpTransport }> {
  const transport = new McpTransport(options)
  const client = await createMCPClient({ transport, clientName: 'dormouse', initializationOptions: { signal }, ...more })
  return { client, transport }
}

const maxErrorCharacters = 1000

/** One sentence without secrets: words of ours, or of an error that the server made for its clients. */
function failureOf({ name, headers = {} }: McpServer, error: unknown): ToolError {
  if (error instanceof ToolError || error instanceof McpTransportError) {
    return new ToolError(`The MCP server ${name} cannot be used: ${error.message.replace(/\.$/, '')}.`)
  }
  if (!MCPClientError.isInstance(error) || error.code === undefined) {
    // The client's own errors quote what the server sent.
    return new ToolError(`The MCP server ${name} cannot be used: what it answers is not MCP.`)
  }
  return new ToolError(`The MCP server ${name} answered with an error: ${withoutSecrets(error.message, headers)}`)
}

/** A server may repeat what it was sent: header values are hidden, and what follows `Bearer`. */
function withoutSecrets(text: string, headers: Record<string, string>): string {
  const secrets = Object.values(headers).flatMap((value) => [value, value.split(' ').at(-1) ?? ''])
  const told = secrets.filter((secret) => secret.length >= 4).reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
  return told.slice(0, maxErrorCharacters).toWellFormed()
}
