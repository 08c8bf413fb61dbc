/**
 * What a JSON Schema may say: the keywords of drafts 7, 2019-09 and 2020-12 that are checked here, and the form of each. One
 * schema for all of them, smaller than their own (which spread over eight documents), and itself in draft 7.
 */
import type { JsonSchema } from './tool.ts'

/** By the value of `$schema`; without one it is the newest. */
export function draftOf(schema: JsonSchema): '7' | '2020-12' | null {
  const { $schema = newest } = schema
  if (typeof $schema !== 'string') return null
  return drafts[$schema.replace(/#$/, '').replace(/^http:/, 'https:')] ?? null
}

const newest = 'https://json-schema.org/draft/2020-12/schema'
const drafts: Record<string, '7' | '2020-12'> = {
  'https://json-schema.org/draft-07/schema': '7',
  'https://json-schema.org/draft/2019-09/schema': '2020-12',
  [newest]: '2020-12',
}

const schema = { $ref: '#' }
const schemas = { type: 'array', items: schema, minItems: 1 }
const schemasByName = { type: 'object', additionalProperties: schema }
const text = { type: 'string' }
const names = { type: 'array', items: text }
const number = { type: 'number' }
const count = { type: 'integer', minimum: 0 }
const typeName = { enum: ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'] }

/** The same form for each of several keywords. */
function each(keywords: string, form: JsonSchema): JsonSchema {
  return Object.fromEntries(keywords.split(' ').map((keyword) => [keyword, form]))
}

/** Unlike `anyOf`, it tells what is wrong with the form that was meant. */
function listOr(ofList: JsonSchema, otherwise: JsonSchema): JsonSchema {
  return { ...each('if', { type: 'array' }), ...each('then', ofList), ...each('else', otherwise) }
}

export const metaSchema: JsonSchema = {
  type: ['object', 'boolean'],
  properties: {
    ...each('$schema $id $anchor $ref $comment title description format', text),
    ...each('$defs definitions dependentSchemas properties', schemasByName),
    ...each('not if then else contains propertyNames', schema),
    ...each('additionalProperties unevaluatedProperties additionalItems unevaluatedItems', schema),
    ...each('allOf anyOf oneOf prefixItems', schemas),
    ...each('minimum maximum exclusiveMinimum exclusiveMaximum', number),
    ...each('minLength maxLength minItems maxItems minContains maxContains minProperties maxProperties', count),
    type: listOr({ items: typeName, minItems: 1 }, typeName),
    items: listOr(schemas, schema),
    enum: { type: 'array' },
    required: names,
    dependentRequired: { type: 'object', additionalProperties: names },
    dependencies: { type: 'object', additionalProperties: listOr(names, schema) },
    patternProperties: { ...schemasByName, propertyNames: { format: 'regex' } },
    pattern: { type: 'string', format: 'regex' },
    multipleOf: { type: 'number', exclusiveMinimum: 0 },
    uniqueItems: { type: 'boolean' },
  },
}
