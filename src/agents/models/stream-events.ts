/**
 * A provider's stream in the words of an agent. Ends with `finish`, or throws: an error that the provider sent, or `CutStream`
 * where it stopped without saying why.
 */
import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4ToolCall,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import type { ProviderMetadata, TokenUsage } from '../../protocol/message.ts'
import type { AgentEvent, StepFinishReason } from '../agent.ts'
import { CutStream } from './upstream-failure.ts'

type PartOf<T extends LanguageModelV4StreamPart['type']> = Extract<LanguageModelV4StreamPart, { type: T }>

/** `model` is what the finish names, as `provider/model`. An aborted signal closes the stream, and the connection with it. */
export async function* streamEvents(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  signal: AbortSignal,
  model: string,
): AsyncGenerator<AgentEvent> {
  const reader = stream.getReader()
  // Not every provider minds the signal that it was given.
  const close = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', close, { once: true })
  const translation = new Translation(model)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) throw new CutStream('The stream ended without a finish')
      const event = translation.translate(value)
      if (event) yield event
      if (event?.type === 'finish') return
    }
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}

class Translation {
  readonly #model: string
  /** What each part has of metadata so far: some come with its start, some with its words, some with its end. */
  readonly #metadata = new Map<string, ProviderMetadata>()
  readonly #toolNames = new Map<string, string>()
  #hasCalls = false

  constructor(model: string) {
    this.#model = model
  }

  /** Null: the part says nothing that an agent says. */
  translate(part: LanguageModelV4StreamPart): AgentEvent | null {
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start':
        this.#keep(part)
        return null
      case 'text-delta':
        this.#keep(part)
        return { type: 'text', text: part.delta }
      case 'reasoning-delta':
        this.#keep(part)
        return { type: 'reasoning', text: part.delta }
      case 'text-end':
        return this.#end('text', part)
      case 'reasoning-end':
        return this.#end('reasoning', part)
      case 'tool-input-start':
        // What the provider runs by itself is no call of ours.
        if (!part.providerExecuted) this.#toolNames.set(part.id, part.toolName)
        return null
      case 'tool-input-delta':
        return this.#toolInput(part)
      case 'tool-call':
        return part.providerExecuted ? null : this.#toolCall(part)
      case 'error':
        throw part.error
      case 'finish':
        return this.#finish(part)
      default:
        return null
    }
  }

  #keep({ type, id, providerMetadata }: { type: string; id: string; providerMetadata?: ProviderMetadata }): void {
    if (!providerMetadata) return
    // Ids of texts and of reasoning count by themselves.
    const key = `${type.split('-')[0]} ${id}`
    this.#metadata.set(key, merged(this.#metadata.get(key), providerMetadata))
  }

  #end(part: 'text' | 'reasoning', end: PartOf<'text-end' | 'reasoning-end'>): AgentEvent | null {
    this.#keep(end)
    const key = `${part} ${end.id}`
    const metadata = this.#metadata.get(key)
    this.#metadata.delete(key)
    return metadata ? { type: 'part-end', part, metadata } : null
  }

  #toolInput({ id, delta }: PartOf<'tool-input-delta'>): AgentEvent | null {
    const toolName = this.#toolNames.get(id)
    return toolName === undefined ? null : { type: 'tool-input', call: id, toolName, text: delta }
  }

  #toolCall({ toolCallId, toolName, input, providerMetadata }: LanguageModelV4ToolCall): AgentEvent {
    this.#hasCalls = true
    const metadata = providerMetadata ? { metadata: providerMetadata } : {}
    return { type: 'tool-call', call: toolCallId, toolName, ...parseInput(input), ...metadata }
  }

  #finish({ finishReason, usage }: PartOf<'finish'>): AgentEvent {
    if (wasCut(finishReason)) throw new CutStream('The provider did not finish')
    return { type: 'finish', finishReason: this.#reason(finishReason), usage: tokensIn(usage), model: this.#model }
  }

  /** Servers differ in whether an answer that ends with calls was stopped by them. */
  #reason({ unified }: LanguageModelV4FinishReason): StepFinishReason {
    if (unified === 'length' || unified === 'content-filter') return unified
    if (this.#hasCalls) return 'tool-calls'
    return unified === 'stop' ? 'stop' : 'other'
  }
}

/** OpenRouter says `error` as the raw reason of a stream that broke behind it. */
function wasCut({ unified, raw }: LanguageModelV4FinishReason): boolean {
  return unified === 'error' || unified === 'interrupted' || raw === 'error'
}

/** A call without input has an empty one. What is no JSON stays a text, with what is wrong with it. */
function parseInput(text: string): { input: unknown; problem?: string } {
  if (text.trim() === '') return { input: {} }
  try {
    const input: unknown = JSON.parse(text)
    return { input }
  } catch {
    return { input: text, problem: 'The input is not valid JSON. Call the tool again with a JSON object that fits its schema.' }
  }
}

function tokensIn({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenUsage {
  const { cacheRead = 0, cacheWrite = 0, noCache = 0 } = inputTokens
  const { reasoning = 0, text = 0 } = outputTokens
  return {
    inputTokens: inputTokens.total ?? noCache + cacheRead + cacheWrite,
    outputTokens: outputTokens.total ?? text + reasoning,
    cachedTokens: cacheRead,
    reasoningTokens: reasoning,
  }
}

function merged(one: ProviderMetadata | undefined, other: ProviderMetadata): ProviderMetadata {
  const providers = Object.entries(other).map(([provider, values]) => [provider, { ...one?.[provider], ...values }])
  return { ...one, ...Object.fromEntries(providers) }
}
