/** What a model provider is to this server: a line of the table in providers.ts, and the access that its variables give. */
import type { LanguageModelV4 } from '@ai-sdk/provider'

/** The variables that configure providers; all optional, and those of further providers may be among them. */
export type ProviderEnvironment = Partial<
  Pick<Env, 'OPENAI_API_KEY' | 'OPENAI_BASE_URL' | 'ANTHROPIC_API_KEY' | 'ANTHROPIC_BASE_URL' | 'DORMOUSE_MODEL' | 'AI'>
>

export interface ProviderKind {
  /** What stands before the slash of its models' names. */
  readonly id: string
  /** The variable with its key. */
  readonly keyVariable?: string
  /** The variable that names another address than the official one; who is asked there may want no key. */
  readonly addressVariable?: string
  readonly officialAddress?: string
  /** What an address ends with; appended where it is missing. */
  readonly addressEnding?: string
  /** It is reached through the Worker's `AI` binding, with neither key nor address. */
  readonly isBound?: true
  /** For agents that name no model. At another address the first model of the list there is taken. */
  readonly defaultModel: string
  /** Imports the provider's package; called once, when the first model is needed. */
  load(access: ProviderAccess): Promise<ModelMaker>
  /** What it offers. Left out: its default model alone is listed. */
  readonly list?: ModelReader
  /** How it wants its prompts, where that is not what most providers want. */
  traits?(access: ProviderAccess): Partial<PromptTraits>
  /** Of every call: what only this provider understands. */
  options?(access: ProviderAccess, sessionId: string): LanguageModelOptions
}

/** A provider of the AI SDK is one. */
export type ModelMaker = (modelId: string) => LanguageModelV4

/** Rejects with `UpstreamRefusal`, or whatever the connection failed with. */
export type ModelReader = (access: ProviderAccess, signal: AbortSignal) => Promise<ListedModel[]>

type LanguageModelOptions = NonNullable<Parameters<LanguageModelV4['doStream']>[0]['providerOptions']>

export interface ProviderAccess {
  /** Empty: none is needed. */
  apiKey: string
  /** Without a slash at its end; empty: the package knows it, or there is none. */
  address: string
  isOfficial: boolean
  binding: Ai | null
}

export interface ListedModel {
  id: string
  name: string | null
  /** Tokens of context, where the provider tells. */
  window: number | null
}

export interface PromptTraits {
  /** Under which key the provider keeps what it wants back with a part. */
  metadataKey: string
  /**
   * Which reasoning it gets back: `signed`, what carries its own signature; `turn`, what the same model thought in this very
   * turn, as models want that think between tool calls; `never`.
   */
  reasoning: 'signed' | 'turn' | 'never'
  /** It caches what stands before a mark, and wants the marks set. Others find out by themselves. */
  cacheMarks: boolean
  takesFile(mediaType: string, isAddress: boolean): boolean
}

/** Null: the provider is not configured. */
export function accessOf(kind: ProviderKind, environment: ProviderEnvironment): ProviderAccess | null {
  const apiKey = textOf(environment, kind.keyVariable)
  const address = withEnding(textOf(environment, kind.addressVariable).replace(/\/+$/, ''), kind.addressEnding ?? '')
  const binding = kind.isBound ? (environment.AI ?? null) : null
  if (apiKey === '' && address === '' && binding === null) return null
  const official = kind.officialAddress ?? ''
  return { apiKey, address: address || official, isOfficial: address === '' || address === official, binding }
}

/** A provider with the access that the environment gives to it. */
export interface Configured {
  kind: ProviderKind
  access: ProviderAccess
  /** Null: the first of its list. */
  defaultModel: string | null
}

/** In the order of the table. */
export function configuredIn(environment: ProviderEnvironment, kinds: readonly ProviderKind[]): Configured[] {
  return kinds.flatMap((kind) => {
    const access = accessOf(kind, environment)
    if (!access) return []
    return [{ kind, access, defaultModel: access.isOfficial || !kind.list ? kind.defaultModel : null }]
  })
}

/** At the first slash: what follows may hold more of them. */
export function splitName(model: string): [provider: string, modelId: string] {
  const slash = model.indexOf('/')
  return slash < 0 ? ['', model] : [model.slice(0, slash), model.slice(slash + 1)]
}

/** What must not be shown to anybody: the key, and a password in the address. */
export function secretsOf({ apiKey, address }: ProviderAccess): string[] {
  const password = URL.canParse(address) ? new URL(address).password : ''
  return [apiKey, password].filter((secret) => secret !== '')
}

function textOf(environment: ProviderEnvironment, variable: string | undefined): string {
  const value: unknown = variable === undefined ? undefined : Reflect.get(environment, variable)
  return typeof value === 'string' ? value.trim() : ''
}

function withEnding(address: string, ending: string): string {
  return address === '' || address.endsWith(ending) ? address : address + ending
}

export function traitsOf(kind: ProviderKind, access: ProviderAccess): PromptTraits {
  return { metadataKey: kind.id, reasoning: 'never', cacheMarks: false, takesFile: () => false, ...kind.traits?.(access) }
}
