/**
 * JSON Schema for people: a type in words, a shape in short, the fields of an object as a table. It knows the part of JSON
 * Schema that openapi.ts writes. Schemas with a name are linked to their section, wherever they occur.
 */
import { BySchema } from '../protocol/access.ts'
import { ErrorSchema } from '../protocol/errors.ts'
import { InputPartSchema, PartSchema, TokenUsageSchema } from '../protocol/message.ts'
import { SettingsSchema } from '../protocol/session.ts'
import { TurnUsageSchema } from '../protocol/turn.ts'
import { KeySchema } from './answer-schemas.ts'
import { code, escape, paragraph, prose, section, table, type Row } from './docs-html.ts'
import { asObject, describedAll, outputSchema, type Json, type JsonObject } from './openapi.ts'

/** The document spells these out wherever they occur; the page has a section for each and links to it. */
const spelledOut = {
  Part: PartSchema,
  InputPart: InputPartSchema,
  Settings: SettingsSchema,
  By: BySchema,
  Error: ErrorSchema,
  TokenUsage: TokenUsageSchema,
  TurnUsage: TurnUsageSchema,
  Key: KeySchema,
}

const plainSchemas = Object.fromEntries(Object.entries(spelledOut).map(([name, schema]) => [name, outputSchema(schema)]))
const namesBySchema = new Map(Object.entries(plainSchemas).map(([name, schema]) => [identity(schema), name]))

/** Schemas that say the same are the same, whatever is told about the field that has them. */
function identity({ description: _, default: __, ...schema }: JsonObject): string {
  return JSON.stringify(schema)
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

export function asText(value: Json): string {
  return typeof value === 'string' ? value : ''
}

function alternativesOf(schema: JsonObject): JsonObject[] {
  return [...asArray(schema['anyOf']), ...asArray(schema['oneOf'])].map(asObject)
}

/** The type in words: "integer 1–200, default 50". HTML. */
export function typeWords(schema: JsonObject): string {
  const name = nameOf(schema)
  const words = name === null ? unnamedWords(schema) : linkTo(name)
  return 'default' in schema ? `${words}, default ${code(String(schema['default']))}` : words
}

function unnamedWords(schema: JsonObject): string {
  const alternatives = alternativesOf(schema)
  if (alternatives.length > 0) return alternatives.map(typeWords).join(' or ')
  if ('const' in schema) return code(String(schema['const']))
  const choices = asArray(schema['enum'])
  if (choices.length > 0) return `one of ${choices.map((choice) => code(String(choice))).join(', ')}`
  switch (schema['type']) {
    case 'string':
      return stringWords(schema)
    case 'integer':
    case 'number':
      return numberWords(schema)
    case 'boolean':
      return 'true or false'
    case 'array':
      return `list of ${typeWords(asObject(schema['items']))}${upTo(schema['maxItems'])}`
    case 'object':
      return 'object'
    case 'null':
      return 'null'
    default:
      return 'any JSON'
  }
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
  return hasMaximum ? `${asText(type)} ${number(minimum)}–${number(maximum)}` : `${asText(type)}, ${number(minimum)} or more`
}

function upTo(bound: Json, unit = ''): string {
  return typeof bound === 'number' ? ` up to ${number(bound)} ${unit}`.trimEnd() : ''
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
  return fields.length === 0 ? '{ }' : `{ ${fields.join(', ')} }`
}

/** Fields of an object, and of the objects inside it by their path: `context.tokens`, `policies[].tool`. */
export function fieldTable(caption: string, schema: JsonObject): string {
  return table(caption, ['Field', 'Meaning'], fieldRows(schema, ''))
}

function fieldRows(schema: JsonObject, path: string): Row[] {
  const required = asArray(schema['required'])
  return Object.entries(asObject(schema['properties'])).flatMap(([name, value]) => {
    const field = asObject(value)
    const row = { cells: [nameCell(path + name, required.includes(name) ? 'required' : 'optional'), meaning(field)] }
    return [row, ...innerRows(field, path + name)]
  })
}

/** Of a field that has no section of its own to link to. */
function innerRows(field: JsonObject, path: string): Row[] {
  if (nameOf(field) !== null) return []
  if (field['type'] === 'array') return innerRows(asObject(field['items']), `${path}[]`)
  if (field['type'] === 'object') return fieldRows(field, `${path}.`)
  return alternativesOf(field).flatMap((alternative) => innerRows(alternative, path))
}

export function nameCell(name: string, remark: string): string {
  return `${code(name)} <small class="${escape(remark)}">${escape(remark)}</small>`
}

/** What a field is and what it is for. */
export function meaning(field: JsonObject, description = descriptionOf(field)): string {
  const type = `<span class="type">${typeWords(field)}</span>`
  return description === '' ? type : `${type}<br>${prose(description)}`
}

/** Of a field that may be null, the rules stand at what else it may be. */
function descriptionOf(schema: JsonObject): string {
  const texts = [asText(schema['description']), ...alternativesOf(schema).map((alternative) => asText(alternative['description']))]
  return texts.filter((text) => text !== '').join(' ')
}

/** Every named schema, by name: what the document names first. */
export function allSchemas(components: JsonObject): JsonObject {
  return { ...components, ...describedAll(plainSchemas), ...components }
}

/** `introductions`: a sentence for each schema; `variants`: one for each alternative of a union, by its type. */
export function schemaSection(name: string, schema: JsonObject, introduction: string, variants: Record<string, string>): string {
  const alternatives = alternativesOf(schema)
  const content =
    alternatives.length === 0
      ? fieldTable(`Fields of ${name}`, schema)
      : alternatives.map((alternative) => variant(name, alternative, variants)).join('')
  return section(3, `schema-${name}`, escape(name), paragraph(introduction) + content)
}

function variant(name: string, schema: JsonObject, notes: Record<string, string>): string {
  const { type: typeField, ...properties } = asObject(schema['properties'])
  const type = asText(asObject(typeField)['const'])
  const words = [notes[type] ?? '', asText(schema['description'])].filter((text) => text !== '').join(' ')
  const fields = fieldTable(`Fields of ${name} \`${type}\`, besides \`type\``, { ...schema, properties })
  return section(4, `${name.toLowerCase()}-${type}`, code(type), (words === '' ? '' : paragraph(words)) + fields)
}
