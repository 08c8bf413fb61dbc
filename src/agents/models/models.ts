/** The models of this server, by `provider/model`: one for the whole isolate, since sessions share lists and circuit breakers. */
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { AgentDefinition } from '../../protocol/agent.ts'
import type { ModelList } from '../../protocol/model.ts'
import type { AgentEvent, StepRequest } from '../agent.ts'
import type { CatalogState, KeepAlive } from './catalog.ts'
import { ConfiguredProvider } from './configured-provider.ts'
import { ModelError } from './model-error.ts'
import { promptOf, promptTools } from './prompt.ts'
import { accessOf, type ProviderEnvironment } from './provider.ts'
import { providers } from './providers.ts'
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
  return new ServerModels(environment, now)
}

function keyOf(environment: ProviderEnvironment): string {
  const variables = providers.flatMap(({ keyVariable, addressVariable }) => [keyVariable, addressVariable])
  const values = [...variables, 'DORMOUSE_MODEL'].map((name): unknown => (name === undefined ? null : Reflect.get(environment, name)))
  return JSON.stringify([...values, environment.AI !== undefined])
}

class ServerModels implements Models {
  /** In the order of the table. */
  readonly #providers: readonly ConfiguredProvider[]
  readonly #chosenDefault: string | null

  constructor(environment: ProviderEnvironment, now: () => number) {
    this.#providers = providers.flatMap((kind) => {
      const access = accessOf(kind, environment)
      return access ? [new ConfiguredProvider(kind, access, now)] : []
    })
    this.#chosenDefault = environment.DORMOUSE_MODEL?.trim() || null
  }

  get isConfigured(): boolean {
    return this.#providers.length > 0
  }

  windowOf(model: string | null, defined: number | undefined): number {
    if (defined !== undefined) return defined
    const [id, modelId] = split(model ?? this.#default() ?? '')
    const listed = this.#provider(id)?.catalog.state.models.find((each) => each.id === modelId)
    return listed?.window ?? knownWindowOf(modelId)
  }

  async *step(model: string | null, definition: AgentDefinition, request: StepRequest): AsyncGenerator<AgentEvent> {
    const name = model ?? (await this.#readDefault())
    const [id, modelId] = split(name)
    const provider = this.#provider(id)
    if (!provider) throw new ModelError(notConfigured(name, id))
    const options = callOptions(name, definition, request, provider)
    yield* provider.call(modelId, options, request.sessionId, request.signal)
  }

  async list(keepAlive?: KeepAlive): Promise<ModelList> {
    const catalogs = await Promise.all(this.#providers.map((provider) => provider.catalog.current(keepAlive)))
    const states = this.#providers.map((provider, index) => provider.stateOf(catalogs[index] ?? provider.catalog.state))
    const others = providers.filter(({ id }) => !this.#provider(id)).map(({ id }) => notConfiguredState(id))
    const items = this.#providers.flatMap((provider, index) => this.#items(provider, catalogs[index]))
    return { items, providers: [...states, ...others] }
  }

  #items({ id: provider }: ConfiguredProvider, catalog: CatalogState | undefined): ModelList['items'] {
    const defaultName = this.#default()
    const [defaultProvider, defaultId] = split(defaultName ?? '')
    const listed = catalog?.models ?? []
    // An alias is in no list, and answers all the same.
    const isMissing = defaultProvider === provider && !listed.some(({ id }) => id === defaultId)
    const models = isMissing ? [{ id: defaultId, name: null, window: null }, ...listed] : listed
    return models.map(({ id: modelId, name, window }) => {
      const id = `${provider}/${modelId}`
      return { id, provider, name, window: window ?? knownWindowOf(modelId), default: id === defaultName }
    })
  }

  #provider(id: string): ConfiguredProvider | undefined {
    return this.#providers.find((provider) => provider.id === id)
  }

  /** Null: it is the first of a list that was not read yet, or there is none. */
  #default(): string | null {
    if (this.#chosenDefault !== null) return this.#chosenDefault
    const [first] = this.#providers
    const model = first?.defaultModel ?? null
    return first && model !== null ? `${first.id}/${model}` : null
  }

  async #readDefault(): Promise<string> {
    const [first] = this.#providers
    if (!first) throw new ModelError('No model provider is configured on this server.')
    const known = this.#default()
    if (known !== null) return known
    const { error } = await first.catalog.current()
    const found = this.#default()
    if (found !== null) return found
    if (error !== null) throw new ModelError(error, 0)
    throw new ModelError(`The provider ${first.id} lists no model; name one in DORMOUSE_MODEL.`)
  }
}

/** At the first slash: what follows may hold more of them. */
function split(model: string): [provider: string, modelId: string] {
  const slash = model.indexOf('/')
  return slash < 0 ? ['', model] : [model.slice(0, slash), model.slice(slash + 1)]
}

function notConfigured(name: string, provider: string): string {
  if (provider === '') return `A model is named provider/model, which ${name} is not.`
  if (providers.some(({ id }) => id === provider)) return `The model provider ${provider} is not configured on this server.`
  return `There is no model provider ${provider} on this server.`
}

function notConfiguredState(id: string): ModelList['providers'][number] {
  return { id, status: 'not_configured', circuit: 'closed', error: null, checkedAt: null }
}

function callOptions(
  model: string,
  definition: AgentDefinition,
  request: StepRequest,
  { traits }: ConfiguredProvider,
): LanguageModelV4CallOptions {
  const { instructions = '', maxOutputTokens, temperature, reasoning } = definition
  const tools = promptTools(request.tools)
  return {
    prompt: promptOf(instructions, request, { model, traits }),
    ...(tools.length > 0 && { tools }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(reasoning !== undefined && { reasoning }),
  }
}
