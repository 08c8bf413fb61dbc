/**
 * One MCP server's tools, made of its list. What the server says of a tool decides whether a call may be run again after a
 * crash, but never whether a person is asked. This file is imported when a server is first needed, since it brings the
 * protocol's client and the validator of schemas along.
 */
import { inputProblem } from './json-schema.ts'
import { answerOf } from './mcp-answer.ts'
import { callTool, readToolList, type McpEndpoint } from './mcp-connection.ts'
import type { McpMemory } from './mcp-memory.ts'
import type { McpToolDescriptor } from './mcp-tool-list.ts'
import { mcpToolNames } from './mcp-tool-names.ts'
import { toolDefaults, ToolError, type Tool } from './tool.ts'

export interface McpSource extends McpEndpoint {
  /** Tells servers apart, and tenants. */
  key: string
  memory: McpMemory
}

/** Throws `ToolError`. */
export async function readMcpTools(source: McpSource): Promise<readonly Tool[]> {
  const { server, memory } = source
  const { tools, hasSessions } = await readToolList(source, memory.log, AbortSignal.timeout(memory.listTimeoutMs))
  const names = mcpToolNames(
    server.name,
    tools.map(({ name }) => name),
  )
  return tools.map((tool) => toolOf(source, tool, names.get(tool.name) ?? tool.name, hasSessions))
}

function toolOf(source: McpSource, descriptor: McpToolDescriptor, name: string, hasSessions: boolean): Tool {
  const { description, inputSchema, idempotent } = descriptor
  const { approval = 'policy', timeoutMs, maxOutputBytes } = source.server
  return {
    name,
    description,
    inputSchema,
    approval,
    idempotent,
    timeoutMs: timeoutMs ?? toolDefaults.timeoutMs,
    maxOutputBytes: maxOutputBytes ?? toolDefaults.maxOutputBytes,
    problemOf: (input) => inputProblem(inputSchema, input),
    async run(input, call) {
      if (!isObject(input)) throw new ToolError('The input must be an object.')
      const sessionKey = `${source.key} ${call.sessionId}`
      const asked = { tool: descriptor.name, inputSchema, input, hasSessions, sessionKey }
      return answerOf(await callTool(source, source.memory.sessions, asked, call))
    },
  }
}

function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}
