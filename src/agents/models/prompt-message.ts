/**
 * A message of the log as messages of a prompt. What a provider would refuse never reaches it, or one odd message would fail
 * every later turn of its session: blank texts, foreign signatures, inputs that are no objects, names no tool can have, files
 * it cannot take.
 */
import type { JSONValue, LanguageModelV4Message, LanguageModelV4ToolResultPart } from '@ai-sdk/provider'
import type { Message, Part, ProviderMetadata, ToolCallPart, ToolResultPart } from '../../protocol/message.ts'
import { promptFile } from './prompt-file.ts'
import type { PromptTraits } from './provider.ts'

export interface MessageTarget {
  /** `provider/model` that is asked. */
  model: string
  traits: PromptTraits
  /** The message belongs to the turn that is being answered. */
  isCurrentTurn: boolean
}

type Content<Role> = Extract<LanguageModelV4Message, { role: Role }>['content']
type AssistantPart = Content<'assistant'>[number]
type ProviderOptions = NonNullable<AssistantPart['providerOptions']>

const mapped = new WeakMap<Message, { target: string; messages: LanguageModelV4Message[] }>()

/** None, where nothing of it is left; two, where a message brings its tools' results along. The same message is mapped once. */
export function mapMessage(message: Message, target: MessageTarget): LanguageModelV4Message[] {
  const key = `${target.model} ${target.isCurrentTurn}`
  const known = mapped.get(message)
  if (known?.target === key) return known.messages
  const messages = mapNew(message, target)
  mapped.set(message, { target: key, messages })
  return messages
}

function mapNew(message: Message, target: MessageTarget): LanguageModelV4Message[] {
  if (message.role === 'user') return [{ role: 'user', content: userContent(message.parts, target.traits) }]
  const said = message.role === 'assistant' ? message.parts.flatMap((part) => assistantParts(part, message, target)) : []
  const results = message.parts.filter((part) => part.type === 'tool-result').map(toolResult)
  return [
    ...(said.length > 0 ? [{ role: 'assistant', content: said } as const] : []),
    ...(results.length > 0 ? [{ role: 'tool', content: results } as const] : []),
  ]
}

/** Never empty: what the user said keeps its place, even if it was nothing. */
function userContent(parts: readonly Part[], traits: PromptTraits): Content<'user'> {
  const content = parts.flatMap((part): Content<'user'> => {
    if (part.type === 'text') return isBlank(part.text) ? [] : [{ type: 'text', text: part.text }]
    return part.type === 'file' ? [promptFile(part, traits)] : []
  })
  return content.length > 0 ? content : [{ type: 'text', text: '[an empty message]' }]
}

function assistantParts(part: Part, message: Message, target: MessageTarget): AssistantPart[] {
  switch (part.type) {
    case 'text':
      return isBlank(part.text) ? [] : [{ type: 'text', text: part.text, ...optionsOf(part.providerMetadata, target) }]
    case 'reasoning':
      return wantsReasoning(part, message, target)
        ? [{ type: 'reasoning', text: part.text, ...optionsOf(part.providerMetadata, target) }]
        : []
    case 'tool-call':
      return [toolCall(part, target)]
    case 'file':
    case 'tool-result':
      return []
  }
}

function wantsReasoning(
  { text, providerMetadata }: { text: string; providerMetadata?: ProviderMetadata | undefined },
  { model }: Message,
  target: MessageTarget,
): boolean {
  const { reasoning, metadataKey } = target.traits
  if (reasoning === 'signed') return providerMetadata?.[metadataKey] !== undefined
  return reasoning === 'turn' && target.isCurrentTurn && model === target.model && !isBlank(text)
}

function toolCall({ toolCallId, toolName, input, providerMetadata }: ToolCallPart, target: MessageTarget): AssistantPart {
  return {
    type: 'tool-call',
    toolCallId,
    toolName: callableName(toolName),
    input: typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {},
    ...optionsOf(providerMetadata, target),
  }
}

function toolResult({ toolCallId, toolName, output, isError }: ToolResultPart): LanguageModelV4ToolResultPart {
  return { type: 'tool-result', toolCallId, toolName: callableName(toolName), output: resultOutput(output, isError) }
}

function resultOutput(output: unknown, isError: boolean): LanguageModelV4ToolResultPart['output'] {
  if (typeof output === 'string') return { type: isError ? 'error-text' : 'text', value: output }
  // Parsed from the log, so it is JSON.
  return { type: isError ? 'error-json' : 'json', value: (output ?? null) as JSONValue }
}

/** A model may call what no tool is called; providers refuse to read such a name again. */
function callableName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'unknown'
}

/** Only what this provider left there: another's signatures are none of its business. */
function optionsOf(metadata: ProviderMetadata | undefined, { traits }: MessageTarget): { providerOptions?: ProviderOptions } {
  const own = metadata?.[traits.metadataKey]
  // Parsed from the log, so it is JSON.
  return own === undefined ? {} : { providerOptions: { [traits.metadataKey]: own as Record<string, JSONValue> } }
}

function isBlank(text: string): boolean {
  return text.trim() === ''
}
