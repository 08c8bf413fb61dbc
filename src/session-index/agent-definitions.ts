/** Definitions of agents as this isolate last read them: kept for a few seconds, and longer while the database is down. */
import type { AgentDefinition } from '../protocol/agent.ts'

export interface StoredAgent {
  name: string
  version: number
  definition: AgentDefinition
  createdAt: number
  updatedAt: number
}

export class AgentDefinitions {
  async read(_tenant: string, _name: string, _version: number | null): Promise<StoredAgent | null> {
    return null
  }

  peek(_tenant: string, _name: string): StoredAgent | null {
    return null
  }
}

/** One for the whole isolate. */
export function agentDefinitionsOf(_env: Pick<Env, 'INDEX' | 'DORMOUSE_SECRET'>): AgentDefinitions {
  return new AgentDefinitions()
}
