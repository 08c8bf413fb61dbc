/** The providers that are configured here, asked by the names of their models. */
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { AgentDefinition } from '../../protocol/agent.ts'
import type { ModelList } from '../../protocol/model.ts'
import type { AgentEvent, StepRequest } from '../agent.ts'
import type { CatalogState, KeepAlive } from './catalog.ts'
import { ConfiguredProvider } from './configured-provider.ts'
import { ModelError } from './model-error.ts'
import { promptOf, promptTools } from './prompt.ts'
import { splitName, type Configured } from './provider.ts'
import { providers } from './providers.ts'
import { knownWindowOf } from './windows.ts'

export class ServerModels {
  /** In the order of the table. */
  readonly #providers: readonly ConfiguredProvider[]
  readonly #chosenDefault: string | null

  constructor(configured: readonly Configured[], chosenDefault: string | null, now: () => number) {
    this.#providers = configured.map((each) => new ConfiguredProvider(each, now))
    this.#chosenDefault = chosenDefault
  }

  /** Null: it is the first of a list that was not read yet, or there is none. */
  get defaultName(): string | null {
    if (this.#chosenDefault !== null) return this.#chosenDefault
    const [first] = this.#providers
    const model = first?.defaultModel ?? null
    return first && model !== null ? `${first.id}/${model}` : null
  }

  /** Tokens that its provider's list tells; null: it does not, or was not read. */
  listedWindowOf(name: string): number | null {
    const [id, modelId] = splitName(name)
    return this.#provider(id)?.catalog.state.models.find((each) => each.id === modelId)?.window ?? null
  }

  async *step(model: string | null, definition: AgentDefinition, request: StepRequest): AsyncGenerator<AgentEvent> {
    const name = model ?? (await this.#readDefault())
    const [id, modelId] = splitName(name)
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
    const defaultName = this.defaultName
    const [defaultProvider, defaultId] = splitName(defaultName ?? '')
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

  async #readDefault(): Promise<string> {
    const [first] = this.#providers
    if (!first) throw new ModelError('No model provider is configured on this server.')
    const known = this.defaultName
    if (known !== null) return known
    const { error } = await first.catalog.current()
    const found = this.defaultName
    if (found !== null) return found
    if (error !== null) throw new ModelError(error, 0)
    throw new ModelError(`The provider ${first.id} lists no model; name one in DORMOUSE_MODEL.`)
  }
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
