/**
 * A copy of somebody else's schema that is safe to check inputs with. Whoever wrote it is not trusted with our time: an
 * expression can take for ever, and references can make a small schema unfold into a huge one.
 *
 * - What may be dear is left out, and then everything that would be wrong without it: the copy refuses nothing that the whole
 *   schema takes. The tool behind it checks what is left out here. `format` is a remark, not a rule (draft 2020-12, 7.2.1).
 * - Every visit of a part of the copy is charged to `spend`, which may throw.
 */
import { ignoredKeyword, schemaMapKeyword } from '@cfworker/json-schema'
import type { JsonSchema } from './tool.ts'

export function boundedCopy(schema: JsonSchema, spend: (cost: number) => void): JsonSchema {
  const copy: JsonSchema = JSON.parse(JSON.stringify(schema))
  const parts = partsOf(copy)
  for (const part of parts) {
    for (const keyword of ['format', '$recursiveRef', '$recursiveAnchor']) delete part[keyword]
  }
  if (parts.some(isDear)) parts.forEach(loosen)
  for (const part of parts) meter(part, spend)
  return copy
}

/** The schema and all schemas in it, in the places where the validator looks for them. */
export function partsOf(schema: JsonSchema): JsonSchema[] {
  const parts: JsonSchema[] = []
  const open: unknown[] = [schema]
  while (open.length > 0) {
    const part = open.pop()
    if (!isRecord(part)) continue
    parts.push(part)
    for (const [keyword, value] of Object.entries(part)) {
      if (Object.hasOwn(ignoredKeyword, keyword)) continue
      if (Array.isArray(value)) open.push(...value)
      else if (Object.hasOwn(schemaMapKeyword, keyword) && isRecord(value)) open.push(...Object.values(value))
      else open.push(value)
    }
  }
  return parts
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Comparing each item with each other grows with the square of their number. */
function isDear({ pattern, patternProperties, uniqueItems }: JsonSchema): boolean {
  return patternProperties !== undefined || uniqueItems === true || (typeof pattern === 'string' && !isCheap(pattern))
}

/** Tied to the start, no groups, no choices, and one repetition of open length at most: there is nothing to try again. */
function isCheap(pattern: string): boolean {
  const atom = String.raw`(?:[^\\()[\]{}|*+?^$]|\\[dDwWsSnrt.\\/+*?()[\]{}|^$-]|\[(?:[^\\\]]|\\.)*\])`
  const fixed = String.raw`(?:${atom}(?:\{\d{1,3}\})?)*`
  const open = String.raw`(?:${atom}(?:[*+?]|\{\d{1,4},\d{0,4}\}))`
  return pattern.length <= 200 && new RegExp(`^\\^${fixed}(?:${open}${fixed})?\\$?$`).test(pattern)
}

/** Alternatives that are told apart by what is left out would all fit, and a negation of it would refuse everything. */
function loosen(part: JsonSchema): void {
  if (part['patternProperties'] !== undefined) delete part['additionalProperties']
  if (part['oneOf'] !== undefined && part['anyOf'] === undefined) part['anyOf'] = part['oneOf']
  if (isDear(part)) for (const keyword of ['pattern', 'patternProperties', 'uniqueItems']) delete part[keyword]
  const misled = ['oneOf', 'not', 'if', 'then', 'else', 'maxContains', 'unevaluatedItems', 'unevaluatedProperties']
  for (const keyword of misled) delete part[keyword]
}

/** The validator reads this keyword, which means nothing here, at each visit of a part. */
function meter(part: JsonSchema, spend: (cost: number) => void): void {
  const cost = Object.values(part).reduce((sum: number, value) => sum + (Array.isArray(value) ? value.length : 1), 1)
  Object.defineProperty(part, '$recursiveAnchor', { get: () => spend(cost) })
}
