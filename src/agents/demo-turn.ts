/**
 * What the demo agent finds of its turn in the context: the input it answers, the steered inputs it has not acknowledged
 * yet, what came of its tool call, and how much of its reply is already durable. Nothing else is remembered between steps, so a step that is done
 * again after a crash, or that follows a steered one, goes on at the very word where the durable messages stop.
 *
 * An acknowledgement is a function of the steered inputs before it. It is therefore recognised by making it again,
 * never by its looks: a steered text may itself look like a reply.
 */
import { omissionMarkerId } from '../protocol/ids.ts'
import type { Message, Part, ToolResultPart } from '../protocol/message.ts'
import type { StepRequest } from './agent.ts'

export interface DemoTurn {
  /** The words and files that began the turn. */
  input: DemoInput
  /** Messages of the context up to that input: the same number in every step of the turn. */
  heldMessages: number
  /** What to say first in this step; empty when nothing was steered. */
  acknowledgement: string
  /** Words of the reply, acknowledgements left out, that earlier steps have said. */
  wordsSaid: number
  /** What came of the one call that a turn makes; null: it was not made yet. */
  outcome: ToolResultPart | null
}

export interface DemoInput {
  text: string
  /** One name for each file. */
  files: string[]
}

export function readDemoTurn({ context, turnId }: StepRequest): DemoTurn {
  const at = beginOf(context, turnId)
  const input = inputOf(context[at]?.parts ?? [])
  let steers: DemoInput[] = []
  let wordsSaid = 0
  for (const message of context.slice(at + 1)) {
    if (message.role === 'user') steers.push(inputOf(message.parts))
    if (message.role !== 'assistant') continue
    wordsSaid += countWords(message, acknowledge(steers))
    steers = []
  }
  return { input, heldMessages: at + 1, acknowledgement: acknowledge(steers), wordsSaid, outcome: outcomeIn(context.slice(at)) }
}

/** No call stands in a context without its result, so a result says that the call was made. */
function outcomeIn(messages: Message[]): ToolResultPart | null {
  return messages.flatMap(({ parts }) => parts).find((part) => part.type === 'tool-result') ?? null
}

/** Where the turn begins: it stands last, so the search goes back from there and does not grow with the context. */
function beginOf(context: Message[], turnId: string): number {
  let at = context.length
  // The marker of what was left out may bear the id of this very turn.
  for (let message = context[at - 1]; message?.turnId === turnId && !isMarker(message); message = context[at - 1]) at -= 1
  return at
}

function isMarker({ id, turnId }: Message): boolean {
  return id === omissionMarkerId(turnId)
}

function inputOf(parts: Part[]): DemoInput {
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
  const files = parts.flatMap((part) => (part.type === 'file' ? [part.name ?? part.mediaType] : []))
  return { text, files }
}

function acknowledge(steers: DemoInput[]): string {
  return steers.map(({ text, files }) => `Steered: ${[text, ...files].filter((words) => words !== '').join(', ')}`).join('\n\n')
}

function countWords({ parts }: Message, acknowledgement: string): number {
  const texts = parts.flatMap((part) => (part.type === 'text' || part.type === 'reasoning' ? [part.text] : []))
  if (texts[0]?.startsWith(acknowledgement)) texts[0] = texts[0].slice(acknowledgement.length)
  return texts.reduce((count, text) => count + (text.match(/\S+/g)?.length ?? 0), 0)
}
