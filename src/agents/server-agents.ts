/**
 * The agents of one tenant on this server: the demo, the assistant where a model provider is configured, and those that the
 * tenant defined. A definition is read when a turn needs it, so a change takes effect with the next turn and no deploy.
 */
import type { AgentView, StoredAgent } from '../protocol/agent.ts'
import { agentDefaults, AgentError, type Agent, type AgentChoice, type AgentRegistry, type AgentTraits } from './agent.ts'
import { assistantDefinition, ASSISTANT } from './assistant.ts'
import type { DefinitionSource } from './definition-source.ts'
import { demoTraits } from './demo-traits.ts'
import { createModelAgent } from './model-agent.ts'
import type { Models } from './models/models.ts'
import type { AgentTools } from './tools/agent-tools.ts'

export interface ServerAgentsOptions {
  tenant: string
  source: DefinitionSource
  models: Models
  tools: AgentTools
}

export class ServerAgents implements AgentRegistry {
  readonly #options: ServerAgentsOptions
  #demo: Agent | null = null

  constructor(options: ServerAgentsOptions) {
    this.#options = options
  }

  get defaultName(): string {
    return this.#options.models.isConfigured ? ASSISTANT : demoTraits.name
  }

  async resolve(name: string, { version, model }: AgentChoice): Promise<Agent | null> {
    if (name === demoTraits.name) return this.#demo ?? this.#loadDemo()
    if (name === ASSISTANT) return this.#modelAgent({ name, version: null, definition: assistantDefinition, model })
    const stored = await this.#read(name, version === null ? null : Number(version))
    return stored && this.#modelAgent({ name, version: String(stored.version), definition: stored.definition, model })
  }

  peek(name: string, model: string | null): AgentTraits | null {
    if (name === demoTraits.name) return demoTraits
    const { tenant, source, models } = this.#options
    const definition = name === ASSISTANT ? assistantDefinition : source.peek(tenant, name)?.definition
    if (!definition) return null
    const recovery = definition.recovery ?? agentDefaults.recovery
    return { window: models.windowOf(model ?? definition.model ?? null, definition.window), recovery }
  }

  async #loadDemo(): Promise<Agent> {
    const { createDemoAgent, demoDefinition } = await import('./demo-agent.ts')
    const { tenant, tools } = this.#options
    this.#demo = createDemoAgent(() => tools.of(tenant, demoDefinition))
    return this.#demo
  }

  async #read(name: string, version: number | null): Promise<StoredAgent | null> {
    const { tenant, source } = this.#options
    try {
      return await source.read(tenant, name, version)
    } catch {
      throw new AgentError(`The definition of the agent ${name} cannot be read at the moment.`, {
        code: 'agent_unavailable',
        retryable: true,
        retryAfterMs: 1000,
      })
    }
  }

  #modelAgent(spec: Omit<Parameters<typeof createModelAgent>[0], 'tenant'>): Agent {
    const { tenant, models, tools } = this.#options
    return createModelAgent({ ...spec, tenant }, models, tools)
  }
}

/** The agents that come with the server, the default first. */
export function builtInAgents(models: Models): AgentView[] {
  const builtIn = { version: null, builtIn: true, model: null, createdAt: null, updatedAt: null }
  const demo = {
    ...builtIn,
    name: demoTraits.name,
    description: demoTraits.description,
    window: demoTraits.window,
    default: !models.isConfigured,
  }
  if (!models.isConfigured) return [demo]
  const { description = '', ...assistant } = assistantDefinition
  const window = models.windowOf(null, undefined)
  return [{ ...builtIn, ...assistant, name: ASSISTANT, description, model: null, default: true, window }, demo]
}
