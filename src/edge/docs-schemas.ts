/**
 * JSON Schema for people: a type in words, a shape in short, the fields of an object as a table. It knows the part of JSON
 * Schema that openapi.ts writes. Schemas with a name are linked to their section, wherever they occur.
 */
import { HttpToolSchema, McpServerSchema } from '../protocol/agent.ts'
import { BySchema } from '../protocol/by.ts'
import { ErrorSchema } from '../protocol/errors.ts'
import { ProfileSchema } from '../protocol/event.ts'
import { InputPartSchema, PartSchema, TokenUsageSchema } from '../protocol/message.ts'
import { SettingsSchema } from '../protocol/session.ts'
import { TurnUsageSchema } from '../protocol/turn.ts'
import { KeySchema } from './answer-schemas.ts'
import { code, escape, paragraph, prose, section, table, type Row } from './docs-html.ts'
import { asObject, asText, describedAll, outputSchema, sentences, typeOf, type Json, type JsonObject } from './openapi.ts'

/** The document spells these out wherever they occur; the page has a section for each and links to it. */
const spelledOut = {
  Part: PartSchema,
  InputPart: InputPartSchema,
  Settings: SettingsSchema,
  HttpTool: HttpToolSchema,
  McpServer: McpServerSchema,
  Profile: ProfileSchema,
  By: BySchema,
  Error: ErrorSchema,
  TokenUsage: TokenUsageSchema,
  TurnUsage: TurnUsageSchema,
  Key: KeySchema,
}

const plainSchemas = Object.fromEntries(Object.entries(spelledOut).map(([name, schema]) => [name, outputSchema(schema)]))
const namesBySchema = new Map(Object.entries(plainSchemas).map(([name, schema]) => [identity(schema), name]))

/** Schemas that say the same are the same, whatever is told about the field that has them. */
function identity(schema: JsonObject): string {
  return JSON.stringify(Object.entries(schema).filter(([name]) => name !== 'description' && name !== 'default'))
}

function nameOf(schema: JsonObject): string | null {
  const reference = schema['$ref']
  if (typeof reference === 'string') return reference.split('/').at(-1) ?? null
  return namesBySchema.get(identity(schema)) ?? null
}

function linkTo(name: string): string {
  return `<a href="#schema-${escape(name)}">${escape(name)}</a>`
}

export function asArray(value: Json): Json[] {
  return Array.isArray(value) ? value : []
}

function alternativesOf(schema: JsonObject): JsonObject[] {
  return [...asArray(schema['anyOf']), ...asArray(schema['oneOf'])].map(asObject)
}

/** The type in words: "integer 1–200, default 50". HTML. */
export function typeWords(schema: JsonObject): string {
  const name = nameOf(schema)
  const words = name === null ? unnamedWords(schema) : linkTo(name)
  return 'default' in schema ? `${words}, default ${code(wordOf(schema['default']))}` : words
}

function unnamedWords(schema: JsonObject): string {
  const alternatives = alternativesOf(schema)
  if (alternatives.length > 0) return alternatives.map(typeWords).join(' or ')
  if ('const' in schema) return code(wordOf(schema['const']))
  const choices = asArray(schema['enum'])
  if (choices.length > 0) return `one of ${choices.map((choice) => code(wordOf(choice))).join(', ')}`
  switch (schema['type']) {
    case 'string':
      return stringWords(schema)
    case 'integer':
    case 'number':
      return numberWords(schema)
    case 'boolean':
      return 'true or false'
    case 'array':
      return `list${parenthesised(upTo(schema['maxItems']))} of ${typeWords(asObject(schema['items']))}`
    case 'object':
      return 'object'
    case 'null':
      return 'null'
    default:
      return 'any JSON'
  }
}

function wordOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function stringWords({ pattern, minLength, maxLength, contentEncoding, format }: JsonObject): string {
  const [, prefix] = /^\^([a-z]{3}_)/.exec(asText(pattern)) ?? []
  if (prefix !== undefined) return `id ${code(`${prefix}…`)}`
  if (typeof contentEncoding === 'string') return `${escape(contentEncoding)} text`
  if (format === 'uri') return `address${upTo(maxLength, 'characters')}`
  if (typeof minLength === 'number' && typeof maxLength === 'number') return `text of ${minLength}–${number(maxLength)} characters`
  return `text${upTo(maxLength, 'characters')}`
}

function numberWords({ type, minimum, maximum }: JsonObject): string {
  const hasMaximum = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER
  if (typeof minimum !== 'number') return asText(type)
  return hasMaximum ? `${asText(type)} ${number(minimum)}–${number(maximum)}` : `${asText(type)} ≥ ${number(minimum)}`
}

function upTo(bound: Json, unit = ''): string {
  return typeof bound === 'number' ? ` up to ${number(bound)} ${unit}`.trimEnd() : ''
}

function parenthesised(words: string): string {
  return words === '' ? '' : ` (${words.trim()})`
}

function number(value: number): string {
  return value.toLocaleString('en')
}

/** An object in the short notation of the protocol's documents: `{ turn: Turn, seq: integer }`. HTML. */
export function shape(schema: JsonObject): string {
  const name = nameOf(schema)
  if (name !== null) return linkTo(name)
  const alternatives = alternativesOf(schema)
  if (alternatives.length > 0) return [...new Set(alternatives.map(shape))].join(' | ')
  if ('const' in schema) return escape(JSON.stringify(schema['const']))
  const choices = asArray(schema['enum'])
  if (choices.length > 0) return choices.map((choice) => escape(JSON.stringify(choice))).join(' | ')
  if (schema['type'] === 'array') return `${shape(asObject(schema['items']))}[]`
  if (schema['type'] === 'object') return objectShape(schema)
  return typeof schema['type'] === 'string' ? escape(schema['type']) : 'any'
}

function objectShape(schema: JsonObject): string {
  const required = asArray(schema['required'])
  const fields = Object.entries(asObject(schema['properties'])).map(([name, field]) => {
    return `${escape(name)}${required.includes(name) ? '' : '?'}: ${shape(asObject(field))}`
  })
  return fields.length === 0 ? 'object' : `{ ${fields.join(', ')} }`
}

/** Fields of an object, and of those inside it by their path: `context.tokens`, `policies[].tool`. A body tells what it must have. */
export function fieldTable(caption: string, schema: JsonObject, isBody = false): string {
  return table(caption, ['Field', 'Meaning'], fieldRows(schema, '', isBody ? 'required' : ''))
}

function fieldRows(schema: JsonObject, path: string, always: string): Row[] {
  const required = asArray(schema['required'])
  return Object.entries(asObject(schema['properties'])).flatMap(([name, value]) => {
    const field = asObject(value)
    const row = { cells: [nameCell(path + name, required.includes(name) ? always : 'optional'), meaning(field)] }
    return [row, ...innerRows(field, path + name, always)]
  })
}

/** Of a field that has no section of its own to link to. */
function innerRows(field: JsonObject, path: string, always: string): Row[] {
  if (nameOf(field) !== null) return []
  if (field['type'] === 'array') return innerRows(asObject(field['items']), `${path}[]`, always)
  if (field['type'] === 'object') return fieldRows(field, `${path}.`, always)
  return alternativesOf(field).flatMap((alternative) => innerRows(alternative, path, always))
}

export function nameCell(name: string, remark: string): string {
  if (remark === '') return code(name)
  const mark = remark.endsWith('required') ? ' class="required"' : ''
  return `${code(name)} <small${mark}>${escape(remark)}</small>`
}

/** What a field is and what it is for. */
export function meaning(field: JsonObject, description = descriptionOf(field)): string {
  const type = `<span class="type">${typeWords(field)}</span>`
  return description === '' ? type : `${type}<br>${prose(description)}`
}

/** Of a field that may be null, the rules stand at what else it may be. */
function descriptionOf(schema: JsonObject): string {
  return sentences([schema, ...alternativesOf(schema)].map(({ description }) => asText(description)))
}

/** Every schema with a section, by name: what the document names first. */
export function allSchemas(components: JsonObject): JsonObject {
  return { ...components, ...describedAll(plainSchemas) }
}

export function schemaSection(name: string, schema: JsonObject): string {
  const content = alternativesOf(schema).length === 0 ? fieldTable(`Fields of ${name}`, schema) : unionTables(name, schema)
  return section(3, `schema-${name}`, escape(name), paragraph(asText(schema['description'])) + content)
}

/** What all alternatives have in common stands once, before them. */
function unionTables(name: string, schema: JsonObject): string {
  const alternatives = alternativesOf(schema)
  const [first = {}] = alternatives
  const isCommon = (field: string) => alternatives.every((each) => fieldOf(each, field) === fieldOf(first, field))
  const common = Object.keys(asObject(first['properties'])).filter((field) => field !== 'type' && isCommon(field))
  const shared = fieldTable(
    `In every ${name}, besides \`type\``,
    withFields(first, (field) => common.includes(field)),
  )
  return (
    shared +
    alternatives
      .map((each) =>
        variantSection(
          name,
          withFields(each, (field) => !common.includes(field)),
        ),
      )
      .join('')
  )
}

function fieldOf(schema: JsonObject, field: string): string | undefined {
  return JSON.stringify(asObject(schema['properties'])[field])
}

function withFields(schema: JsonObject, isWanted: (field: string) => boolean): JsonObject {
  return { ...schema, properties: Object.fromEntries(Object.entries(asObject(schema['properties'])).filter(([field]) => isWanted(field))) }
}

function variantSection(name: string, schema: JsonObject): string {
  const type = typeOf(schema)
  const fields = fieldTable(
    `Fields of \`${type}\``,
    withFields(schema, (field) => field !== 'type'),
  )
  return section(4, `${name.toLowerCase()}-${type}`, code(type), paragraph(asText(schema['description'])) + fields)
}
