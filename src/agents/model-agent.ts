/** An agent made of a definition: instructions, a model, tools. Stateless; made anew for every step from what is configured. */
import type { AgentDefinition } from '../protocol/agent.ts'
import { agentDefaults, AgentError, type Agent, type AgentEvent } from './agent.ts'
import { ModelError } from './models/model-error.ts'
import type { Models } from './models/models.ts'
import type { AgentTools } from './tools/agent-tools.ts'

export interface ModelAgentSpec {
  tenant: string
  name: string
  version: string | null
  definition: AgentDefinition
  /** What the session chose; null: the definition's, or the server's default. */
  model: string | null
}

export function createModelAgent(spec: ModelAgentSpec, models: Models, tools: AgentTools): Agent {
  const { tenant, name, version, definition } = spec
  const model = spec.model ?? definition.model ?? null
  const { stepSeconds, stallSeconds } = definition.timeouts ?? {}
  const { timeouts } = agentDefaults
  return {
    name,
    version,
    description: definition.description ?? '',
    window: models.windowOf(model, definition.window),
    recovery: definition.recovery ?? agentDefaults.recovery,
    policies: definition.policies ?? agentDefaults.policies,
    budgets: { ...agentDefaults.budgets, ...definition.budgets },
    approvalExpiresInSeconds: definition.approvalExpiresInSeconds ?? agentDefaults.approvalExpiresInSeconds,
    timeouts: {
      stepMs: stepSeconds === undefined ? timeouts.stepMs : stepSeconds * 1000,
      firstMs: stallSeconds === undefined ? timeouts.firstMs : stallSeconds * 1000,
      stallMs: stallSeconds === undefined ? timeouts.stallMs : stallSeconds * 1000,
    },
    tools: () => tools.of(tenant, definition),
    step: (request) => explained(models.step(model, definition, request)),
  }
}

/** A failure of a model is the turn's, in words for people. */
async function* explained(words: AsyncIterable<AgentEvent>): AsyncGenerator<AgentEvent> {
  try {
    yield* words
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    const { message, retryAfterMs } = error
    throw new AgentError(message, { code: 'agent_unavailable', retryable: retryAfterMs !== null, retryAfterMs })
  }
}
