/**
 * The slash commands of the demo agent, parsed into a union. Parsing never fails: what it cannot read asks for the list
 * of commands. Numbers are plain ASCII digits; signs, fractions, exponents and other scripts' digits are malformed.
 */
import { parseJson } from '../protocol/json.ts'

export type DemoCommand =
  /** No slash command: an ordinary message. */
  | { type: 'chat' }
  | { type: 'stream'; words: number; pauseMs: number }
  | { type: 'bytes'; characters: number }
  | { type: 'fail'; text: string }
  | { type: 'crash' }
  | { type: 'context' }
  | { type: 'think'; text: string }
  | { type: 'tool'; toolName: string; input: unknown }
  | { type: 'unavailable'; feature: 'memory' }
  /** Unknown or malformed. */
  | { type: 'usage' }

export const demoLimits = {
  words: 100_000,
  pauseMs: 10_000,
  characters: 16 * 1024 * 1024,
} as const

export const defaultPauseMs = 20

/** The answer to what could not be read: every command, one a line. */
export const usageText = `I know these commands:

- \`/stream N [ms]\` streams N words (1 to 100,000), one every ms (0 to 10,000, default 20; 0: at once)
- \`/bytes N\` answers N characters (1 to 16,777,216)
- \`/tool NAME [JSON]\` calls a tool with this input, as in \`/tool calculate {"expression": "6 * 7"}\`
- \`/approve TEXT\` calls the tool \`demo_note\`, which needs your approval, with TEXT
- \`/recall WORDS\` searches what was compacted
- \`/think TEXT\` streams reasoning, then TEXT
- \`/context\` answers the messages of my context as JSON
- \`/fail TEXT\` fails the turn with TEXT
- \`/crash\` throws inside the agent

Anything that does not begin with a slash I repeat.`

export function parseDemoCommand(text: string): DemoCommand {
  const [, name, rest] = /^\/(\S*)\s*([^]*)$/.exec(text) ?? []
  if (name === undefined || rest === undefined) return { type: 'chat' }
  return parseNamed(name, rest.trimEnd()) ?? { type: 'usage' }
}

function parseNamed(name: string, rest: string): DemoCommand | null {
  switch (name) {
    case 'stream':
      return parseStream(rest)
    case 'bytes':
      return parseBytes(rest)
    case 'fail':
    case 'think':
      return rest === '' ? null : { type: name, text: rest }
    case 'crash':
    case 'context':
      return rest === '' ? { type: name } : null
    case 'tool':
      return parseTool(rest)
    case 'approve':
      return rest === '' ? null : { type: 'tool', toolName: 'demo_note', input: { text: rest } }
    case 'recall':
      return { type: 'unavailable', feature: 'memory' }
    default:
      return null
  }
}

function parseStream(rest: string): DemoCommand | null {
  // Cut at three: a mebibyte of blanks and digits must not become half a million strings.
  const [count = '', pause, surplus] = rest.split(/\s+/, 3)
  const words = parseInteger(count, 1, demoLimits.words)
  const pauseMs = pause === undefined ? defaultPauseMs : parseInteger(pause, 0, demoLimits.pauseMs)
  if (words === null || pauseMs === null || surplus !== undefined) return null
  return { type: 'stream', words, pauseMs }
}

function parseBytes(rest: string): DemoCommand | null {
  const characters = parseInteger(rest, 1, demoLimits.characters)
  return characters === null ? null : { type: 'bytes', characters }
}

/** Any well-formed name is called, known or not: what is not there, the session refuses. */
function parseTool(rest: string): DemoCommand | null {
  const [, toolName, json] = /^([a-zA-Z0-9_-]{1,64})(?:\s+([^]+))?$/.exec(rest) ?? []
  if (toolName === undefined) return null
  const input = parseJson(json ?? '{}')
  return input.ok ? { type: 'tool', toolName, input: input.value } : null
}

function parseInteger(text: string, min: number, max: number): number | null {
  if (!/^[0-9]+$/.test(text)) return null
  const value = Number(text)
  return value >= min && value <= max ? value : null
}
