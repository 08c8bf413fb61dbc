/**
 * The tools that MCP servers offer, as tools of ours. Their lists are read once for a whole isolate and kept for some minutes;
 * a server that is down or lies leaves its tools out, and never fails a turn.
 */
import type { McpServer } from '../../protocol/agent.ts'
import { addressGuardOf } from './address-guard.ts'
import { McpMemory } from './mcp-memory.ts'
import type { McpSource } from './mcp-tool.ts'
import type { ToolEnvironment } from './tool-environment.ts'
import { ToolError, type Tool } from './tool.ts'

const memoryOfIsolate = new McpMemory()

/** Never rejects: of a server that cannot be used there are no tools, and the log says why. */
export function mcpToolsOf(
  environment: ToolEnvironment,
  memory: McpMemory = memoryOfIsolate,
): (tenant: string, server: McpServer) => Promise<readonly Tool[]> {
  const guard = addressGuardOf(environment)
  return async (tenant, server) => {
    const key = await keyOf([tenant, environment.DORMOUSE_ALLOW_PRIVATE_HOSTS ?? '', server])
    const tools = await memory.lists.read(key, () => readTools({ server, guard, key, memory }))
    return tools ?? []
  }
}

/** A digest, for a definition may be long and holds secrets, and every conversation with a server is kept under its key. */
async function keyOf(parts: unknown[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(parts)))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function readTools(source: McpSource): Promise<readonly Tool[]> {
  const { server, memory } = source
  try {
    const { readMcpTools } = await import('./mcp-tool.ts')
    return await readMcpTools(source)
  } catch (error) {
    const reason = error instanceof ToolError ? error.message : 'unknown'
    memory.log({ event: 'mcp.server_failed', server: server.name, reason })
    throw error
  }
}
