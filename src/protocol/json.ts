/**
 * The one way in for JSON that a client sent. Beyond `JSON.parse` it bounds the nesting, so that no later walk can
 * overflow the stack, and refuses lone surrogates, which no UTF-8 wire could carry back (RFC 8259, section 8.2).
 */
import * as v from 'valibot'
import { limits } from './limits.ts'
import { refuse, type Result } from './errors.ts'

export function parseJson(text: string): Result<unknown> {
  if (nesting(text) > limits.jsonDepth) return refuse('invalid_request', `JSON may be nested ${limits.jsonDepth} deep at most.`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse('invalid_request', 'The body is not valid JSON.')
  }
  if (!isWellFormed(value)) return refuse('invalid_request', 'A string holds a lone surrogate; text must be well-formed Unicode.')
  return { ok: true, value }
}

/** Checks a parsed value against a schema; the issues name each wrong field by its path. */
export function parseWith<S extends v.GenericSchema>(schema: S, value: unknown): Result<v.InferOutput<S>> {
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return { ok: true, value: parsed.output }
  const issues = parsed.issues.slice(0, 20).map((issue) => describe(issue))
  const first = issues[0]
  return refuse('invalid_request', first?.path ? `${first.path}: ${first.message}` : (first?.message ?? 'Not valid.'), { issues })
}

/** What is wrong, in words of the request and not of the validator. `within`: the path of the union it is an alternative of. */
function describe(issue: v.BaseIssue<unknown>, within = ''): { path: string; message: string } {
  const path = [within, v.getDotPath(issue)].filter(Boolean).join('.')
  return issue.type === 'union' && issue.issues ? describe(mostSpecific(issue.issues), path) : { path, message: messageOf(issue) }
}

/** Of the alternatives of a union, the one that the value came closest to: the deepest, and not merely of a wrong type. */
function mostSpecific(issues: [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): v.BaseIssue<unknown> {
  const rank = (issue: v.BaseIssue<unknown>) => 2 * (issue.path?.length ?? 0) + (issue.kind === 'validation' ? 1 : 0)
  return issues.reduce((best, issue) => (rank(issue) > rank(best) ? issue : best))
}

function messageOf({ type, expected, received, message }: v.BaseIssue<unknown>): string {
  // A message of our own says it better; valibot's begin with "Invalid".
  if (!message.startsWith('Invalid')) return message
  if (type === 'strict_object' && expected === 'never') return 'is not a field of this request'
  if (received === 'undefined') return 'is required'
  return `must be ${inWords(expected ?? 'valid')}, not ${inWords(received).slice(0, receivedCharacters)}`
}

/** Of a wrong value, what is told back. */
const receivedCharacters = 40

const articles: Record<string, string> = {
  Object: 'an object',
  Array: 'an array',
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
}

function inWords(type: string): string {
  return articles[type] ?? type.replaceAll(/[()"]/g, '').replaceAll(' | ', ' or ')
}

function nesting(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (inString) {
      if (unit === 0x5c) i++
      else if (unit === 0x22) inString = false
    } else if (unit === 0x22) inString = true
    else if (unit === 0x5b || unit === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (unit === 0x5d || unit === 0x7d) depth--
  }
  return deepest
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item))
  }
  return true
}
