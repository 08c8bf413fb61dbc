/**
 * The prompt of a step, pure: from what the session gives to what a provider takes. The order is stable, what changes least
 * comes first, so that providers find the beginning of every prompt in their caches: tools by name, instructions, notes,
 * messages. Messages and tools are mapped once: a step of a long conversation maps only what is new in it.
 */
import type { LanguageModelV4FunctionTool, LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider'
import type { StepRequest } from '../agent.ts'
import type { Note, ToolSet } from '../tools/tool.ts'
import { mapMessage, type MessageTarget } from './prompt-message.ts'
import type { PromptTraits } from './provider.ts'

export interface PromptTarget {
  /** `provider/model`, as messages record it. */
  model: string
  traits: PromptTraits
}

type PromptInput = Pick<StepRequest, 'instructions' | 'context' | 'notes' | 'turnId'>

/** `instructions` are the agent's; the session's own take their place. */
export function promptOf(instructions: string, input: PromptInput, target: PromptTarget): LanguageModelV4Prompt {
  const fragments = [input.instructions ?? instructions, notesFragment(input.notes)].filter((text) => text.trim() !== '')
  const messages = input.context.flatMap((message) => {
    return mapMessage(message, { ...target, isCurrentTurn: message.turnId === input.turnId } satisfies MessageTarget)
  })
  // Chat templates of open models take one system message, at the very beginning.
  if (!target.traits.cacheMarks) return [...systemMessages(fragments.length > 0 ? [fragments.join('\n\n')] : []), ...messages]
  return [...systemMessages(fragments).map(marked), ...markedAtEnd(messages)]
}

function notesFragment(notes: readonly Note[]): string {
  if (notes.length === 0) return ''
  return ['<notes>', 'What you noted in this conversation, oldest first.', ...notes.map(noteLine), '</notes>'].join('\n')
}

function noteLine({ key, text }: Note): string {
  return `- ${key}: ${text.replaceAll('\n', '\n  ')}`
}

function systemMessages(fragments: readonly string[]): LanguageModelV4Message[] {
  return fragments.map((content) => ({ role: 'system', content }))
}

/**
 * Anthropic caches up to a mark, and takes four: one behind the instructions and one behind the notes, which change more often;
 * two at the end, so that the next step finds what this one has written even if it is answered differently.
 */
function markedAtEnd(messages: readonly LanguageModelV4Message[]): LanguageModelV4Message[] {
  return messages.map((message, index) => (index >= messages.length - 2 ? marked(message) : message))
}

function marked(message: LanguageModelV4Message): LanguageModelV4Message {
  return { ...message, providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } }
}

const toolsBySet = new WeakMap<ToolSet, LanguageModelV4FunctionTool[]>()

/** Empty: none. By name, for a set may be put together in another order next time. */
export function promptTools(tools: ToolSet): LanguageModelV4FunctionTool[] {
  const known = toolsBySet.get(tools)
  if (known) return known
  const mapped = [...tools.values()]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, description, inputSchema }): LanguageModelV4FunctionTool => ({ type: 'function', name, description, inputSchema }))
  toolsBySet.set(tools, mapped)
  return mapped
}
