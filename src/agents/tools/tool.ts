/**
 * What a tool is: a function from a checked input to an output. The session decides whether a call runs, records that it
 * started, and keeps what comes back; a tool only does its work, and minds its signal.
 */
import type { ToolApproval } from '../../protocol/agent.ts'

/** Something an agent wrote down in a session. */
export interface Note {
  key: string
  text: string
}

export type JsonSchema = Record<string, unknown>

export interface Tool {
  /** 1 to 64 characters of a-z, A-Z, 0-9, _ and -; unique in its set. */
  readonly name: string
  /** For the model: what it does, and when to use it. */
  readonly description: string
  /** Of its input: an object's. */
  readonly inputSchema: JsonSchema
  readonly approval: ToolApproval
  /** A call may be run again when nobody knows how it ended. */
  readonly idempotent: boolean
  /** The call is aborted, and failed, after so long. */
  readonly timeoutMs: number
  /** UTF-8 of an output; what is beyond is cut off. */
  readonly maxOutputBytes: number
  /** What is wrong with an input, in words for the model; null: nothing. */
  problemOf(input: unknown): string | null
  /** Throws `ToolError` to tell the model what went wrong; any other error is reported without its words. */
  run(input: unknown, call: ToolCall): Promise<ToolAnswer>
}

export type ToolSet = ReadonlyMap<string, Tool>

export interface ToolCall {
  /** Unique for ever, and the same when a call is run again: the idempotency key to pass on. */
  toolCallId: string
  sessionId: string
  turnId: string
  notes: readonly Note[]
  /** Milliseconds since the epoch. */
  now(): number
  /** Aborted when the turn was ended or the call takes too long. */
  signal: AbortSignal
}

export interface ToolAnswer {
  /** JSON, or a text. */
  output: unknown
  /** The tool did not do what was asked; `output` says why. */
  isError?: boolean
  /** Stored together with the result; `text` null forgets the note. */
  notes?: { key: string; text: string | null }[]
}

/** A failure whose message the model gets to read. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}

export const toolDefaults = { timeoutMs: 30_000, maxOutputBytes: 1024 * 1024 } as const

/** By name, in the order given; of two tools with one name the first counts. */
export function toolSet(tools: readonly Tool[]): ToolSet {
  const set = new Map<string, Tool>()
  for (const tool of tools) if (!set.has(tool.name)) set.set(tool.name, tool)
  return set
}

export const noTools: ToolSet = new Map()
