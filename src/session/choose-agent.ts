/** Which agent a command is about: found before the command is taken, since it may have to be asked for. */
import { AgentError, type Agent, type AgentRegistry } from '../agents/agent.ts'
import type { SessionState } from '../core/state.ts'
import type { CreateSession, UpdateSession } from '../protocol/body.ts'
import { refuse, type Result } from '../protocol/errors.ts'

export function agentOfNew(agents: AgentRegistry, { agent, model }: CreateSession): Promise<Result<Agent>> {
  return find(agents, agent ?? agents.defaultName, model ?? null)
}

/** The agent that the session will have; null: the patch changes neither agent nor model. */
export async function agentOfPatch(agents: AgentRegistry, state: SessionState | null, patch: UpdateSession): Promise<Result<Agent | null>> {
  if (patch.agent === undefined && patch.model === undefined) return { ok: true, value: null }
  const name = patch.agent ?? state?.agent ?? agents.defaultName
  return find(agents, name, patch.model === undefined ? (state?.model ?? null) : patch.model)
}

async function find(agents: AgentRegistry, name: string, model: string | null): Promise<Result<Agent>> {
  try {
    const agent = await agents.resolve(name, { version: null, model })
    if (agent) return { ok: true, value: agent }
    return refuse('invalid_request', `There is no agent named ${name}.`, { issues: [{ path: 'agent', message: 'is not known here' }] })
  } catch (error) {
    if (error instanceof AgentError) return refuse(error.code, error.message, { retryable: error.retryable })
    throw error
  }
}
