/** The tools of an agent: built-in ones by name, HTTP tools, and those of its MCP servers. Sets are kept by definition. */
import type { AgentDefinition } from '../../protocol/agent.ts'
import { noTools, type ToolSet } from './tool.ts'

export interface ToolEnvironment {
  /** Hosts (`name`, `name:port`) that tools may reach although they are private, separated by commas. */
  DORMOUSE_ALLOW_PRIVATE_HOSTS?: string
}

export interface AgentTools {
  of(tenant: string, definition: AgentDefinition): Promise<ToolSet>
}

export function agentToolsOf(_environment: ToolEnvironment): AgentTools {
  return { of: async () => noTools }
}
