/**
 * The tools of an agent: built-in ones by name, HTTP tools, and those of its MCP servers. What tools are made of is loaded
 * when an agent has such a tool, for most starts of a server need none of it.
 */
import type { AgentDefinition, HttpTool } from '../../protocol/agent.ts'
import { noTools, toolSet, type ToolSet } from './tool.ts'
import type { ToolEnvironment } from './tool-environment.ts'

export interface AgentTools {
  /** What definitions say of tools was checked when they were saved; names that are not known are left out. */
  of(tenant: string, definition: AgentDefinition): Promise<ToolSet>
}

const byEnvironment = new Map<string, AgentTools>()

/** One for the whole isolate: sessions share its sets, and the lists that MCP servers gave. */
export function agentToolsOf(environment: ToolEnvironment): AgentTools {
  const key = environment.DORMOUSE_ALLOW_PRIVATE_HOSTS ?? ''
  const tools = byEnvironment.get(key) ?? new CachedTools(environment)
  byEnvironment.set(key, tools)
  return tools
}

/** Every built-in tool, for an agent without a definition. */
export async function allBuiltInTools(environment: ToolEnvironment = {}): Promise<ToolSet> {
  const [{ builtInTools }, { addressGuardOf }] = await Promise.all([import('./built-in-tools.ts'), import('./address-guard.ts')])
  return toolSet(builtInTools(addressGuardOf(environment)))
}

class CachedTools implements AgentTools {
  readonly #environment: ToolEnvironment
  /** A changed definition is another object. Sets, not promises of them: those may die with the object that began them. */
  readonly #sets = new WeakMap<AgentDefinition, ToolSet>()

  constructor(environment: ToolEnvironment) {
    this.#environment = environment
  }

  async of(tenant: string, definition: AgentDefinition): Promise<ToolSet> {
    const own = await this.#own(definition)
    const { mcpServers = [] } = definition
    if (mcpServers.length === 0) return own
    // Anew each time: a list is cached by its server's client, and may have come or gone since.
    const { mcpToolsOf } = await import('./mcp-tools.ts')
    const mcpTools = mcpToolsOf(this.#environment)
    const lists = await Promise.all(mcpServers.map((server) => mcpTools(tenant, server)))
    return toolSet([...own.values(), ...lists.flat()])
  }

  async #own(definition: AgentDefinition): Promise<ToolSet> {
    const known = this.#sets.get(definition)
    if (known) return known
    const made = await ownTools(definition, this.#environment)
    this.#sets.set(definition, made)
    return made
  }
}

async function ownTools({ tools = [] }: AgentDefinition, environment: ToolEnvironment): Promise<ToolSet> {
  if (tools.length === 0) return noTools
  const builtIn = tools.some((tool) => typeof tool === 'string') ? await allBuiltInTools(environment) : noTools
  const atAddresses = await httpTools(
    tools.filter((tool) => typeof tool !== 'string'),
    environment,
  )
  const chosen = tools.map((tool) => (typeof tool === 'string' ? builtIn : atAddresses).get(typeof tool === 'string' ? tool : tool.name))
  return toolSet(chosen.filter((tool) => tool !== undefined))
}

async function httpTools(definitions: readonly HttpTool[], environment: ToolEnvironment): Promise<ToolSet> {
  if (definitions.length === 0) return noTools
  const [{ createHttpTool }, { addressGuardOf }] = await Promise.all([import('./http-tool.ts'), import('./address-guard.ts')])
  const guard = addressGuardOf(environment)
  return toolSet(definitions.map((definition) => createHttpTool(definition, { guard })))
}
