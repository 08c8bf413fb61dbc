import type { Agent, AgentRegistry } from './agent.ts'
import { demoAgent } from './demo-agent.ts'

/** Throws when two agents share a name or the default is not among them: both are mistakes in the program. */
export function createAgentRegistry(agents: readonly Agent[], defaultName: string): AgentRegistry {
  const byName = new Map(agents.map((agent) => [agent.name, agent]))
  if (byName.size !== agents.length) throw new Error('Two agents share a name.')
  if (!byName.has(defaultName)) throw new Error(`The default agent "${defaultName}" is not registered.`)
  return {
    defaultName,
    get: (name) => byName.get(name) ?? null,
    list: () => [...byName.values()],
  }
}

/** The agents of this server. */
export const agents = createAgentRegistry([demoAgent], demoAgent.name)
