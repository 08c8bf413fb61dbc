/**
 * JSON Schemas that others wrote, of their tools' inputs: whether one can be used, and what is wrong with an input, in words
 * that a model can act on. Importing this loads the validator: import it when there is such a schema, not before.
 */
import { dereference, Validator, type OutputUnit } from '@cfworker/json-schema'
import { jsonBytes, limits } from '../../protocol/limits.ts'
import { boundedCopy, isRecord, partsOf } from './bounded-schema.ts'
import { draftOf, metaSchema } from './json-schema-dialect.ts'
import type { JsonSchema } from './tool.ts'

const maxSchemaBytes = 64 * 1024
/** Parts visited for one input, each weighed by its size: about half a second at the worst. */
const maxCost = 1_000_000

const tooDear = 'is too deep or too large to be checked'

/** Why it cannot be the schema of a tool's input, as words to follow its name; null: it can. */
export function schemaProblem(schema: unknown): string | null {
  if (!isRecord(schema)) return 'must be a JSON Schema of an object'
  if (depthOf(schema) > limits.jsonDepth) return `must be nested ${limits.jsonDepth} deep at most`
  if (jsonBytes(schema) > maxSchemaBytes) return `must be ${maxSchemaBytes / 1024} KiB of JSON at most`
  if (draftOf(schema) === null) return '$schema: must be that of draft 2020-12, 2019-09 or 7'
  if (schema['type'] !== 'object') return 'must have the type "object", for a tool takes named arguments'
  return formProblem(schema) ?? referenceProblem(schema) ?? trialProblem(schema)
}

/** What is wrong with the input, in a sentence; null: nothing. `schema` has no `schemaProblem`. */
export function inputProblem(schema: JsonSchema, input: unknown): string | null {
  const problem = compiled(schema)(input)
  if (problem === null) return null
  return problem === tooDear ? `The input ${tooDear}.` : `The input is not valid: ${problem}.`
}

type Check = (value: unknown) => string | null

const compiledSchemas = new WeakMap<JsonSchema, Check>()

function compiled(schema: JsonSchema): Check {
  const known = compiledSchemas.get(schema)
  if (known) return known
  const check = compile(schema)
  compiledSchemas.set(schema, check)
  return check
}

function compile(schema: JsonSchema): Check {
  let left = 0
  const copy = boundedCopy(schema, (cost) => {
    left -= cost
    if (left < 0) throw new RangeError('Too many visits')
  })
  const validator = new Validator(copy, draftOf(schema) ?? '2020-12', false)
  return (value) => {
    left = maxCost
    try {
      const { valid, errors } = validator.validate(value ?? null)
      return valid ? null : describe(errors, value)
    } catch (error) {
      // Spent, or the stack is, by a reference that leads to itself.
      if (error instanceof RangeError) return tooDear
      throw error
    }
  }
}

function formProblem(schema: JsonSchema): string | null {
  return compiledMeta()(schema)
}

let metaCheck: Check | null = null

/** As it is, expressions to check included: it is our own. */
function compiledMeta(): Check {
  const validator = new Validator(metaSchema, '7', false)
  metaCheck ??= (schema) => {
    const { valid, errors } = validator.validate(schema)
    return valid ? null : describe(errors, schema)
  }
  return metaCheck
}

/** Only what stands in the schema itself can be referred to. */
function referenceProblem(schema: JsonSchema): string | null {
  const copy: JsonSchema = JSON.parse(JSON.stringify(schema))
  const references = partsOf(copy).flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []))
  const remote = references.find(($ref) => !$ref.startsWith('#'))
  if (remote !== undefined) return `$ref: must stay within the schema, as #/$defs/name; ${remote.slice(0, 100)} does not`
  return unresolved(copy)
}

function unresolved(copy: JsonSchema): string | null {
  try {
    const known = dereference(copy)
    const lost = partsOf(copy).find(({ __absolute_ref__: ref }) => typeof ref === 'string' && known[ref] === undefined)
    return lost ? `$ref: ${String(lost['$ref']).slice(0, 100)} leads nowhere` : null
  } catch {
    return 'must have distinct and valid $id'
  }
}

/** A reference that leads to itself shows with any input. */
function trialProblem(schema: JsonSchema): string | null {
  return compile(schema)({}) === tooDear ? 'must not refer to itself without end' : null
}

function depthOf(value: unknown): number {
  let level: unknown[] = [value]
  let depth = 0
  while (level.length > 0 && depth <= limits.jsonDepth) {
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
    depth++
  }
  return depth
}

const maxIssues = 5
const maxIssueCharacters = 300

/** Errors that only say that an error follows. */
const echoes = new Set(['properties', 'items', 'prefixItems', 'additionalItems', 'additionalProperties', 'allOf', 'if', '$ref'])
const choices = new Set(['anyOf', 'oneOf'])

function describe(errors: readonly OutputUnit[], value: unknown): string {
  const chosen = errors.filter(({ keyword }) => choices.has(keyword)).map(({ keywordLocation }) => `${keywordLocation}/`)
  const leaves = errors.filter(
    ({ keyword, keywordLocation }) => !echoes.has(keyword) && !chosen.some((choice) => keywordLocation.startsWith(choice)),
  )
  const issues = new Set(leaves.map((error) => issueOf(error, value).slice(0, maxIssueCharacters)))
  const shown = [...issues].slice(0, maxIssues).join('; ')
  return issues.size > maxIssues ? `${shown}; and ${issues.size - maxIssues} more` : shown
}

function issueOf({ keyword, instanceLocation, error }: OutputUnit, value: unknown): string {
  const path = namesOf(instanceLocation).join('.')
  const where = path === '' ? 'it' : path
  switch (keyword) {
    case 'required':
      return `${path === '' ? '' : `${path}.`}${wordsIn(error, /"(.*)"/s)} is required`
    case 'false':
      return `${where} is not known here`
    case 'type':
      return `${where} must be ${wordsIn(error, /Expected (.*)\.$/)
        .replaceAll('", "', ' or ')
        .replaceAll('"', '')}, not ${typeAt(value, instanceLocation)}`
    case 'enum':
      return `${where} must be ${wordsIn(error, /any of \[(.*)\]\.$/s).replaceAll('","', '" or "')}`
    case 'const':
      return `${where} must be ${wordsIn(error, /match (.*)\.$/s)}`
    case 'anyOf':
    case 'oneOf':
      return `${where} must fit ${keyword === 'oneOf' ? 'exactly one' : 'one'} of its alternatives`
    default:
      return `${where}: ${error.replace(/^Instance /, 'it ').replace(/\.$/, '')}`
  }
}

/** Of the validator's own sentence. */
function wordsIn(error: string, pattern: RegExp): string {
  return pattern.exec(error)?.[1] ?? error
}

/** Of a pointer in a URL's fragment (RFC 6901, section 6). */
function namesOf(location: string): string[] {
  const pointer = location.replace(/^#\/?/, '')
  if (pointer === '') return []
  return pointer.split('/').map((name) => decode(name).replaceAll('~1', '/').replaceAll('~0', '~'))
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function typeAt(value: unknown, location: string): string {
  const found = namesOf(location).reduce<unknown>((at, name) => {
    if (Array.isArray(at)) return at[Number(name)]
    return isRecord(at) ? at[name] : undefined
  }, value)
  if (found === null || found === undefined) return 'null'
  return Array.isArray(found) ? 'array' : typeof found
}
