/** A provider that is configured here, for the whole isolate: its models, its list, its circuit breaker. */
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ProviderState } from '../../protocol/model.ts'
import type { AgentEvent } from '../agent.ts'
import { Catalog, type CatalogState } from './catalog.ts'
import { Circuit, type Pass } from './circuit.ts'
import { ModelError } from './model-error.ts'
import {
  secretsOf,
  traitsOf,
  type Configured,
  type ModelMaker,
  type PromptTraits,
  type ProviderAccess,
  type ProviderKind,
} from './provider.ts'
import { streamEvents } from './stream-events.ts'
import { modelErrorOf, type ErrorContext } from './upstream-failure.ts'

export class ConfiguredProvider {
  readonly id: string
  readonly traits: PromptTraits
  readonly catalog: Catalog
  readonly #kind: ProviderKind
  readonly #access: ProviderAccess
  readonly #circuit: Circuit
  readonly #now: () => number
  readonly #official: string | null
  #modelOf: ModelMaker | null = null

  constructor({ kind, access, defaultModel }: Configured, now: () => number) {
    this.id = kind.id
    this.traits = traitsOf(kind, access)
    this.catalog = new Catalog(
      (signal) => this.#list(signal),
      (error) => this.#explain(error, null).message,
      now,
    )
    this.#official = defaultModel
    this.#kind = kind
    this.#access = access
    this.#circuit = new Circuit(now)
    this.#now = now
  }

  /** Null: the first of its list, which was not read yet or is empty. */
  get defaultModel(): string | null {
    return this.#official ?? this.catalog.state.models[0]?.id ?? null
  }

  /** One call. Throws `ModelError`, or the signal's reason when it was aborted. */
  async *call(modelId: string, options: LanguageModelV4CallOptions, sessionId: string, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    this.#requireUsable()
    const pass = this.#circuit.enter()
    try {
      yield* this.#watched(pass, streamEvents(await this.#open(modelId, options, sessionId, signal), signal, `${this.id}/${modelId}`))
    } catch (error) {
      // What was cancelled says nothing about the provider.
      signal.throwIfAborted()
      const explained = this.#explain(error, modelId)
      if (explained.isOutage) pass.failed()
      else pass.answered()
      throw explained
    } finally {
      pass.left()
    }
  }

  stateOf(catalog: CatalogState): ProviderState {
    const circuit = this.#circuit.state
    const error = catalog.error ?? this.#trouble(catalog)
    return { id: this.id, status: error === null ? 'ok' : 'down', circuit, error, checkedAt: catalog.checkedAt }
  }

  #trouble({ checkedAt }: CatalogState): string | null {
    if (this.#circuit.state === 'open') return `The provider ${this.id} failed several times in a row and rests.`
    return checkedAt === null ? `The provider ${this.id} did not answer in time.` : null
  }

  #requireUsable(): void {
    const problem = this.#problem()
    if (problem) throw problem
    const restMs = this.#circuit.restMs()
    if (restMs > 0) throw new ModelError(`The provider ${this.id} failed several times in a row; it is left alone for a moment.`, restMs)
  }

  #problem(): ModelError | null {
    const { address } = this.#access
    const isUsable = address === '' || (/^https?:/i.test(address) && URL.canParse(address))
    return isUsable ? null : new ModelError(`The address of the provider ${this.id} is not an http or https address.`)
  }

  async #open(
    modelId: string,
    options: LanguageModelV4CallOptions,
    sessionId: string,
    signal: AbortSignal,
  ): Promise<ReadableStream<LanguageModelV4StreamPart>> {
    this.#modelOf ??= await this.#kind.load(this.#access)
    const providerOptions = this.#kind.options?.(this.#access, sessionId)
    const model = this.#modelOf(modelId)
    const { stream } = await model.doStream({ ...options, ...(providerOptions && { providerOptions }), abortSignal: signal })
    return stream
  }

  async *#watched(pass: Pass, events: AsyncGenerator<AgentEvent>): AsyncGenerator<AgentEvent> {
    for await (const event of events) {
      // Before the event is handed on: nobody has to come back for another.
      if (event.type === 'finish') pass.succeeded()
      else pass.answered()
      yield event
    }
  }

  async #list(signal: AbortSignal) {
    const problem = this.#problem()
    if (problem) throw problem
    const { list, defaultModel } = this.#kind
    return list ? list(this.#access, signal) : [{ id: defaultModel, name: null, window: null }]
  }

  #explain(error: unknown, model: string | null): ModelError {
    const context: ErrorContext = { provider: this.id, model, secrets: secretsOf(this.#access), now: this.#now() }
    return modelErrorOf(error, context)
  }
}
