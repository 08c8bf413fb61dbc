/**
 * The models of this server, by `provider/model`: one for the whole isolate, since sessions share lists and circuit breakers.
 * What asks providers is imported when it is first needed: a Worker wakes without it.
 */
import type { AgentDefinition } from '../../protocol/agent.ts'
import type { ModelList } from '../../protocol/model.ts'
import type { AgentEvent, StepRequest } from '../agent.ts'
import type { KeepAlive } from './catalog.ts'
import { configuredIn, splitName, type Configured, type ProviderEnvironment } from './provider.ts'
import { providers } from './providers.ts'
import type { ServerModels } from './server-models.ts'
import { knownWindowOf } from './windows.ts'

export interface Models {
  /** Whether any provider is. */
  readonly isConfigured: boolean
  /** Tokens that the model takes: `defined` where an agent says so, or what the provider's list or the table of known models tells. */
  windowOf(model: string | null, defined: number | undefined): number
  /** One model call. `model` null: the server's default. Throws `ModelError`, or the signal's reason when it was aborted. */
  step(model: string | null, definition: AgentDefinition, request: StepRequest): AsyncIterable<AgentEvent>
  /** What the configured providers offer; read once, however many ask, and again in the background if that may be kept alive. */
  list(keepAlive?: KeepAlive): Promise<ModelList>
}

/** More than one environment is met only in tests. */
const maxEnvironments = 16
const byEnvironment = new Map<string, Models>()

export function modelsOf(environment: ProviderEnvironment): Models {
  const key = keyOf(environment)
  const known = byEnvironment.get(key)
  if (known) return known
  if (byEnvironment.size >= maxEnvironments) byEnvironment.clear()
  const models = createModels(environment)
  byEnvironment.set(key, models)
  return models
}

/** Not shared with anybody. `now` is in milliseconds since the epoch. */
export function createModels(environment: ProviderEnvironment, now: () => number = Date.now): Models {
  return new LazyModels(environment, now)
}

function keyOf(environment: ProviderEnvironment): string {
  const variables = providers.flatMap(({ keyVariable, addressVariable }) => [keyVariable, addressVariable])
  const values = [...variables, 'DORMOUSE_MODEL'].map((name): unknown => (name === undefined ? null : Reflect.get(environment, name)))
  return JSON.stringify([...values, environment.AI !== undefined])
}

class LazyModels implements Models {
  readonly #configured: readonly Configured[]
  readonly #chosenDefault: string | null
  readonly #now: () => number
  #server: ServerModels | null = null

  constructor(environment: ProviderEnvironment, now: () => number) {
    this.#configured = configuredIn(environment, providers)
    this.#chosenDefault = environment.DORMOUSE_MODEL?.trim() || null
    this.#now = now
  }

  get isConfigured(): boolean {
    return this.#configured.length > 0
  }

  windowOf(model: string | null, defined: number | undefined): number {
    if (defined !== undefined) return defined
    const name = model ?? this.#default()
    if (name === null) return knownWindowOf('')
    return this.#server?.listedWindowOf(name) ?? knownWindowOf(splitName(name)[1])
  }

  async *step(model: string | null, definition: AgentDefinition, request: StepRequest): AsyncGenerator<AgentEvent> {
    const server = await this.#load()
    yield* server.step(model, definition, request)
  }

  async list(keepAlive?: KeepAlive): Promise<ModelList> {
    const server = await this.#load()
    return server.list(keepAlive)
  }

  /** Before anything was asked, the first provider's own, unless it is the first of a list. */
  #default(): string | null {
    if (this.#server) return this.#server.defaultName
    const [first] = this.#configured
    return this.#chosenDefault ?? (first?.defaultModel ? `${first.kind.id}/${first.defaultModel}` : null)
  }

  async #load(): Promise<ServerModels> {
    const module = await import('./server-models.ts')
    // Whoever came first while it was imported has made it.
    this.#server ??= new module.ServerModels(this.#configured, this.#chosenDefault, this.#now)
    return this.#server
  }
}
