/** The API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made from the table of routes and their schemas. */
import { toJsonSchema, toJsonSchemaDefs, type ConversionConfig } from '@valibot/to-json-schema'
import * as v from 'valibot'
import { errorTable, ProblemSchema } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { AgentNameSchema } from '../protocol/session.ts'
import { namedSchemas } from './answer-schemas.ts'
import { accessNote, bodyNotesOf, groupNotes, groupOf, parameterNotes } from './api-notes.ts'
import { fieldNotes, schemaNotes, variantNotes } from './field-notes.ts'
import type { IntegerMetadata } from './query.ts'
import type { AnswerSpec, Route } from './route.ts'

export type Json = string | number | boolean | null | undefined | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

const API_VERSION = '1'

const refName = { overrideRef: ({ referenceId }: { referenceId: string }) => `#/components/schemas/${referenceId}` }
/** What JSON Schema cannot say (a size in bytes, say), or says in a pattern, is told in the words of a refusal. */
const rulesInWords: Pick<ConversionConfig, 'overrideAction'> = {
  overrideAction({ valibotAction, jsonSchema }) {
    const { type, message } = valibotAction as { type: string; message?: unknown }
    if (!['check', 'regex'].includes(type) || typeof message !== 'string' || isIdPattern(jsonSchema.pattern)) return null
    return { ...jsonSchema, description: sentences([jsonSchema.description, `It ${message}.`]) }
  },
}
const conversion = { target: 'draft-2020-12', errorMode: 'ignore', ...refName, ...rulesInWords } as const

function isIdPattern(pattern: string | undefined): boolean {
  return pattern !== undefined && /^\^[a-z]{3}_/.test(pattern)
}

export function sentences(texts: (string | undefined)[]): string {
  return texts.filter((text) => text).join(' ')
}

export interface OpenApiDocument extends JsonObject {
  paths: { [path: string]: JsonObject }
}

export function openApiDocument(routes: Route[]): OpenApiDocument {
  const paths: { [path: string]: JsonObject } = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method]: operation(route) }
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Dormouse', version: API_VERSION, description: 'A session server for AI agents.' },
    tags: Object.entries(groupNotes).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: describedAll(plain(toJsonSchemaDefs(namedSchemas, { ...conversion, typeMode: 'output' }))),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key (`dk_…`) or a session token (`dt_…`).' },
      },
    },
    security: [{ bearer: [] }],
  }
}

function operation(route: Route): JsonObject {
  const { method, path, verb, summary, body, query } = route
  return {
    tags: [groupOf(method, path)],
    summary,
    description: accessNote(verb),
    operationId: operationId(route),
    ...(verb === null && { security: [] }),
    parameters: [...pathParameters(route.path), ...queryParameters(query), ...headerParameters(route)],
    ...(body !== null && { requestBody: requestBody(path, body) }),
    responses: responses(route),
  }
}

function requestBody(path: string, body: v.GenericSchema): JsonObject {
  return { required: !v.is(body, {}), content: { 'application/json': { schema: described(inputSchema(body), bodyNotesOf(path)) } } }
}

function operationId({ method, path }: Route): string {
  const words = path.split('/').filter((word) => word !== '' && word !== 'v1')
  const named = words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word.replace('.json', ''))))
  return method + named.join('')
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

const idPrefixes: Record<string, string> = { id: 'ses', turnId: 'trn', approvalId: 'apr', ref: 'out', keyId: 'key' }

function idSchema(name: string): JsonObject {
  if (name === 'name') return inputSchema(AgentNameSchema)
  return { type: 'string', pattern: `^${idPrefixes[name]}_[0-9A-HJKMNP-TV-Z]{26}$` }
}

function pathParameters(path: string): JsonObject[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, ...parameterNote(name), schema: idSchema(name) }
  })
}

function queryParameters(query: v.GenericSchema | null): JsonObject[] {
  if (query === null || !('entries' in query)) return []
  return Object.entries(query.entries as Record<string, v.GenericSchema>).map(([name, schema]) => {
    return { name, in: 'query', required: !v.is(schema, undefined), ...parameterNote(name), schema: parameterSchema(schema) }
  })
}

function parameterNote(name: string): { description?: string } {
  const description = new Map(Object.entries(parameterNotes)).get(name)
  return description === undefined ? {} : { description }
}

/** Integers travel as text; `integer` in query.ts leaves a note that they are meant as integers. */
function parameterSchema(schema: v.GenericSchema): JsonObject {
  const wrapped = 'wrapped' in schema ? (schema.wrapped as v.GenericSchema) : schema
  const fallback = 'default' in schema && typeof schema.default === 'string' ? schema.default : undefined
  const options = 'options' in wrapped && wrapped.type === 'union' ? (wrapped.options as v.GenericSchema[]) : [wrapped]
  const alternatives = options.map((option) => integerNote(option) ?? inputSchema(option))
  const [only] = alternatives
  const base = only && alternatives.length === 1 ? only : { anyOf: alternatives }
  if (fallback === undefined) return base
  return { ...base, default: base['type'] === 'integer' || /^\d+$/.test(fallback) ? Number(fallback) : fallback }
}

function integerNote(schema: v.GenericSchema): JsonObject | null {
  const note = v.getMetadata(schema) as Partial<IntegerMetadata>
  return note.type === 'integer' ? { type: 'integer', minimum: note.minimum, maximum: note.maximum } : null
}

function headerParameters({ method, path, verb }: Route): JsonObject[] {
  if (verb === null) return []
  const header = (name: string, description: string, schema: JsonObject = { type: 'string' }) => ({
    name,
    in: 'header',
    description,
    schema,
  })
  const tag = tagOf(path)
  return [
    ...(method === 'post'
      ? [
          header('Idempotency-Key', 'The same key and the same command meet what they made before.', {
            type: 'string',
            pattern: '^[ -~]+$',
            maxLength: limits.idempotencyKeyCharacters,
          }),
        ]
      : []),
    ...(method === 'get' && tag ? [header('If-None-Match', `The ${tag} that the client has: 304 when it is still that.`)] : []),
    ...(method === 'patch' && tag ? [header('If-Match', `Change only while this is the ${tag}: 412 otherwise.`)] : []),
    ...(path.endsWith('/:ref') ? [header('Range', 'One range of bytes: 206.')] : []),
    ...(/\/events$|:turnId$/.test(path) ? [header('Last-Event-ID', 'Where a stream goes on; wins over `after`.')] : []),
  ]
}

/** What the entity tag of a resource is; null: it has none. */
function tagOf(path: string): string | null {
  if (path.endsWith('/:ref')) return 'ref'
  if (path.endsWith('/:name')) return 'version'
  return path.includes(':id') ? 'head' : null
}

const sharedHeaders: JsonObject = { 'Dormouse-Request-Id': { schema: { type: 'string' } } }
const sessionHeaders: JsonObject = {
  ...sharedHeaders,
  'Dormouse-Head': { description: 'The last seq.', schema: { type: 'integer' } },
  ETag: { schema: { type: 'string' } },
}
const agentHeaders: JsonObject = { ...sharedHeaders, ETag: { description: 'The version.', schema: { type: 'string' } } }

function responses(route: Route): JsonObject {
  const headers = route.path.includes(':id') ? sessionHeaders : route.path.endsWith('/:name') ? agentHeaders : sharedHeaders
  const answers = Object.entries(route.answers).map(([status, answer]): [string, Json] => [status, response(answer, headers)])
  if (route.verb === null) return Object.fromEntries(answers)
  const schema = outputSchema(ProblemSchema)
  const problem = {
    description: `A problem. Codes: ${Object.keys(errorTable).join(', ')}.`,
    headers: sharedHeaders,
    content: { 'application/problem+json': { schema } },
  }
  const limited = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } }, ...sharedHeaders }
  return { ...Object.fromEntries(answers), 429: { ...problem, headers: limited }, default: problem }
}

function response({ description, schema, mediaType }: AnswerSpec, headers: JsonObject): JsonObject {
  const content = schema ? { 'application/json': { schema: outputSchema(schema) } } : mediaType ? { [mediaType]: {} } : null
  return { description, headers, ...(content && { content }) }
}

export function inputSchema(schema: v.GenericSchema): JsonObject {
  return plain(toJsonSchema(schema, { ...conversion, typeMode: 'input' }))
}

export function outputSchema(schema: v.GenericSchema): JsonObject {
  const { $defs: _, ...converted } = plain(toJsonSchema(schema, { ...conversion, typeMode: 'output', definitions: namedSchemas }))
  return converted
}

/** Schemas by name, with what field-notes.ts says of them, of their fields and of their alternatives. */
export function describedAll(schemas: JsonObject): JsonObject {
  const fields = new Map<string, Record<string, string>>(Object.entries(fieldNotes))
  const notes = new Map(Object.entries(schemaNotes))
  const all = Object.entries(schemas).map(([name, schema]): [string, Json] => {
    return [name, withNote(described(schema, fields.get(name) ?? {}, variantNotes[name]), notes.get(name))]
  })
  return Object.fromEntries(all)
}

/** Of a union, every alternative is described, with what it is. */
function described(schema: Json, notes: Record<string, string>, variants: Record<string, string> = {}): JsonObject {
  const { properties, oneOf, ...rest } = asObject(schema)
  const fields = Object.entries(asObject(properties)).map(([name, field]): [string, Json] => [name, withNote(asObject(field), notes[name])])
  const alternatives = Array.isArray(oneOf) ? oneOf.map((each) => withNote(described(each, notes), variants[typeOf(each)])) : []
  return {
    ...rest,
    ...(oneOf !== undefined && { oneOf: alternatives }),
    ...(properties !== undefined && { properties: Object.fromEntries(fields) }),
  }
}

/** Which alternative of a union a schema is. */
export function typeOf(schema: Json): string {
  return asText(asObject(asObject(asObject(schema)['properties'])['type'])['const'])
}

function withNote(field: JsonObject, note: string | undefined): JsonObject {
  return note === undefined ? field : { ...field, description: sentences([note, asText(field['description'])]) }
}

export function asText(value: Json): string {
  return typeof value === 'string' ? value : ''
}

export function asObject(value: Json): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

/** The library's types are wider than JSON; what it makes is JSON. */
function plain(schema: object): JsonObject {
  const { $schema: _, ...rest } = JSON.parse(JSON.stringify(schema)) as JsonObject
  return rest
}
