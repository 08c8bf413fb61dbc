/** The models of this server, by `provider/model`: one for the whole isolate, since sessions share lists and circuit breakers. */
import type { AgentDefinition } from '../../protocol/agent.ts'
import type { ModelList } from '../../protocol/model.ts'
import type { AgentEvent, StepRequest } from '../agent.ts'

/** The variables that configure providers; all optional. */
export type ProviderEnvironment = Partial<
  Pick<Env, 'OPENAI_API_KEY' | 'OPENAI_BASE_URL' | 'ANTHROPIC_API_KEY' | 'ANTHROPIC_BASE_URL' | 'DORMOUSE_MODEL' | 'AI'>
>

export interface Models {
  /** Whether any provider is. */
  readonly isConfigured: boolean
  /** Tokens that the model takes: `defined` where an agent says so, or what the provider's list or the table of known models tells. */
  windowOf(model: string | null, defined: number | undefined): number
  /** One model call. `model` null: the server's default. */
  step(model: string | null, definition: AgentDefinition, request: StepRequest): AsyncIterable<AgentEvent>
  /** What the configured providers offer; read once and then in the background, however many ask. */
  list(): Promise<ModelList>
}

export function modelsOf(_environment: ProviderEnvironment): Models {
  return {
    isConfigured: false,
    windowOf: () => 128_000,
    step: () => {
      throw new Error('To be written')
    },
    list: async () => ({ items: [], providers: [] }),
  }
}
