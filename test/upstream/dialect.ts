/** What a dialect is: how it says an answer in server-sent events, what it refuses, and how its errors and lists look. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Answer, Piece, Usage, Words } from './answer.ts'

/** Says one answer, event after event, as text that is ready to be sent. */
export interface Voice {
  open(): string
  say(words: Words): string
  close(finishReason: string): string
}

export interface Request {
  model: string
  /** Null when the request has no such message. */
  lastUserText: string | null
  /** Why the real provider would refuse it; null: it would not. */
  problem: string | null
}

export interface Wire {
  read(body: unknown): Request
  /** The pieces in an order that the dialect can say. */
  arrange(pieces: Piece[]): Piece[]
  voice(request: { body: unknown; model: string; usage: Usage }): Voice
  /** An error's body, for a status that is not 200. */
  failure(status: number, message: string): unknown
  /** The same in mid-stream. */
  failureEvent(status: number, message: string): string
  models(): unknown
  keyOf(headers: IncomingHttpHeaders): string | null
}

export function finishReasonOf({ finishReason, pieces }: Answer): string {
  return finishReason ?? (pieces?.some(({ type }) => type === 'call') ? 'tool-calls' : 'stop')
}

/** A repeated text is one event. */
export function wholeText(words: Extract<Words, { type: 'text' }>): string {
  return words.text.repeat(words.times ?? 1)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

/** Of the tools that a request offers. */
export function toolProblem(tools: { name: unknown; schema: unknown }[]): string | null {
  const names = tools.map(({ name }) => name)
  const wrong = names.find((name) => typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name))
  if (wrong !== undefined) return `Invalid tool name: ${JSON.stringify(wrong)}`
  if (new Set(names).size !== names.length) return 'Tool names must be unique.'
  const shapeless = tools.find(({ schema }) => !isRecord(schema) || schema['type'] !== 'object')
  return shapeless ? `Invalid schema for ${JSON.stringify(shapeless.name)}: its type must be "object".` : null
}
