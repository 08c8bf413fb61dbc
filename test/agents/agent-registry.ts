import type { Agent, AgentRegistry } from '../../src/agents/agent.ts'

/** Agents that are all here. Throws when two share a name or the default is not among them: both are mistakes in the program. */
export function createAgentRegistry(agents: readonly Agent[], defaultName: string): AgentRegistry {
  const byName = new Map(agents.map((agent) => [agent.name, agent]))
  if (byName.size !== agents.length) throw new Error('Two agents share a name.')
  if (!byName.has(defaultName)) throw new Error(`The default agent "${defaultName}" is not registered.`)
  return {
    defaultName,
    resolve: async (name) => byName.get(name) ?? null,
    peek: (name) => byName.get(name) ?? null,
  }
}
