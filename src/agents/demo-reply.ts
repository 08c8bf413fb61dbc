/**
 * What the demo agent says to each command, without the clock: words, which a steered input may interrupt and a later
 * step continues; blocks, which are said at once and whole; or a tool call, whose result the next step tells. The number of
 * words depends on the turn's input alone, or a continued reply would lose its place.
 */
import type { ToolResultPart } from '../protocol/message.ts'
import { AgentError, type AgentEvent, type StepRequest } from './agent.ts'
import { type DemoCommand, defaultPauseMs, usageText } from './demo-command.ts'
import type { DemoInput, DemoTurn } from './demo-turn.ts'

export type Speech = Extract<AgentEvent, { type: 'text' | 'reasoning' }>

export type DemoReply =
  | { type: 'words'; words: Iterable<Speech>; pauseMs: number }
  | { type: 'blocks'; blocks: Iterable<Speech> }
  | { type: 'call'; toolName: string; input: unknown }

/** What `/crash` throws holds this; it must show up nowhere: not in an event, an answer or a log line. */
export const crashSecret = 'sk-demo-4f9d2c71b8e6'

/** Throws what `/fail` and `/crash` ask for. */
export function replyTo(command: DemoCommand, turn: DemoTurn, request: StepRequest): DemoReply {
  switch (command.type) {
    case 'chat':
      return { type: 'words', words: wordsOf('text', chatText(turn)), pauseMs: defaultPauseMs }
    case 'stream':
      return { type: 'words', words: numberedWords(command.words), pauseMs: command.pauseMs }
    case 'think':
      return { type: 'words', words: thoughtAndWords(command.text), pauseMs: defaultPauseMs }
    case 'bytes':
      return { type: 'blocks', blocks: patternBlocks(command.characters) }
    case 'context':
      return block(JSON.stringify(request.context))
    case 'tool':
      return turn.outcome ? block(outcomeText(turn.outcome)) : { type: 'call', toolName: command.toolName, input: command.input }
    case 'unavailable':
      return block(`The demo agent has no ${command.feature} on this server yet.`)
    case 'usage':
      return block(usageText)
    case 'fail':
      throw new AgentError(command.text)
    case 'crash':
      throw new Error(`The demo agent crashed as it was asked to, with the key ${crashSecret} in its message.`)
  }
}

function block(text: string): DemoReply {
  return { type: 'blocks', blocks: [{ type: 'text', text }] }
}

/** How the session begins what it tells of a call that a person or a policy forbade. */
const NOT_ALLOWED = 'Not allowed: '

function outcomeText({ toolName, output, isError }: ToolResultPart): string {
  const text = textOfOutput(output)
  if (!isError) return `\`${toolName}\` answered: ${text}`
  if (text.startsWith(NOT_ALLOWED)) return `\`${toolName}\` was not allowed: ${text.slice(NOT_ALLOWED.length)}`
  return `\`${toolName}\` failed: ${text}`
}

/** Most tools answer with one plain value and its name: that value is enough. */
function textOfOutput(output: unknown): string {
  if (typeof output === 'string') return output
  const values = typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.values(output) : []
  const [only] = values.length === 1 ? values : [output]
  return typeof only === 'string' ? only : JSON.stringify(typeof only === 'object' ? output : only)
}

function chatText({ input, heldMessages }: DemoTurn): string {
  const held = `**Demo agent.** My context holds ${heldMessages} ${heldMessages === 1 ? 'message' : 'messages'}.`
  return [input.text.trim() === '' ? held : `${held} You said:\n\n${input.text}`, ...filesText(input)].join('\n\n')
}

function filesText({ files }: DemoInput): string[] {
  return files.length === 0 ? [] : [`Files: ${files.join(', ')}`]
}

/** Each word with the white space before it, so that all of them together are the text again, but for its end. */
function* wordsOf(type: Speech['type'], text: string): Generator<Speech> {
  // Trimmed first: trailing white space would make the expression try, and fail, from each of its characters on.
  for (const [word] of text.trimEnd().matchAll(/\s*\S+/g)) yield { type, text: word }
}

function* numberedWords(count: number): Generator<Speech> {
  for (let number = 1; number <= count; number++) yield { type: 'text', text: number === 1 ? 'w1' : ` w${number}` }
}

function* thoughtAndWords(text: string): Generator<Speech> {
  yield* wordsOf('reasoning', `I was asked to think first. The answer has ${text.length} characters and needs no further thought.`)
  yield* wordsOf('text', text)
}

const LINE_CHARACTERS = 64
const MAX_BLOCK_CHARACTERS = 256 * 1024

function* patternBlocks(characters: number): Generator<Speech> {
  const size = Math.min(Math.ceil(characters / 4), MAX_BLOCK_CHARACTERS)
  for (let from = 0; from < characters; from += size) {
    yield { type: 'text', text: patternSlice(from, Math.min(from + size, characters)) }
  }
}

function patternSlice(from: number, to: number): string {
  const first = Math.floor(from / LINE_CHARACTERS)
  let text = ''
  for (let line = first; line * LINE_CHARACTERS < to; line++) text += patternLine(line)
  return text.slice(from - first * LINE_CHARACTERS, to - first * LINE_CHARACTERS)
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.repeat(4)

/** Tells its own place, so that a lost or doubled piece shows. ASCII that JSON need not escape: a character is a byte. */
function patternLine(line: number): string {
  const shift = line % 26
  return `${String(line).padStart(8, '0')} ${LETTERS.slice(shift, shift + LINE_CHARACTERS - 10)} `
}
