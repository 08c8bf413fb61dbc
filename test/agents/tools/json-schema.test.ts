import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inputProblem, schemaProblem } from '../../../src/agents/tools/json-schema.ts'
import type { JsonSchema } from '../../../src/agents/tools/tool.ts'

const object = (properties: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: 'object', properties, ...more })

/** Nests a schema in itself. */
function nested(depth: number): JsonSchema {
  return depth === 0 ? { type: 'object' } : object({ a: nested(depth - 1) })
}

/** Small, and unfolds to 2^depth parts. */
function laughs(depth: number): JsonSchema {
  const steps = Array.from({ length: depth }, (_, index) => {
    const next = { $ref: `#/$defs/l${index + 1}` }
    return [`l${index}`, { allOf: [next, next] }]
  })
  return object({ x: { $ref: '#/$defs/l0' } }, { $defs: { ...Object.fromEntries(steps), [`l${depth}`]: { type: 'string' } } })
}

describe('a schema that others wrote', () => {
  it.each([
    [{ type: 'object' }],
    [object({ a: { type: 'string', minLength: 1, pattern: '^a+$' }, b: true, c: {} }, { required: ['a'], additionalProperties: false })],
    [
      object(
        { a: { type: ['string', 'null'] }, l: { type: 'array', items: { $ref: '#/$defs/item' } } },
        { $defs: { item: { enum: [1, 'a', null] } } },
      ),
    ],
    [object({ tree: { $ref: '#' } })],
    [object({ t: { items: [{ type: 'string' }, {}] } }, { $schema: 'http://json-schema.org/draft-07/schema#', definitions: { d: {} } })],
    [
      object(
        {},
        {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          $id: 'https://a.example/s',
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
      ),
    ],
    [
      object({
        type: { type: 'string' },
        format: { type: 'string' },
        pattern: { type: 'number' },
        required: { type: 'boolean' },
        $ref: { type: 'string' },
      }),
    ],
    [object({ a: { type: 'string', 'x-hint': { deep: [1] }, examples: ['a'], default: { $ref: 'nowhere' } } })],
    [nested(20)],
  ])('[TOOL3] can be used, case %#', (schema) => {
    expect(schemaProblem(schema)).toBeNull()
  })

  it.each<[unknown, RegExp]>([
    [null, /^must be a JSON Schema of an object$/],
    ['object', /^must be a JSON Schema of an object$/],
    [[], /^must be a JSON Schema of an object$/],
    [{}, /^must have the type "object"/],
    [{ type: 'string' }, /^must have the type "object"/],
    [{ type: ['object', 'null'] }, /^must have the type "object"/],
    [object({ a: { type: 'strin' } }), /^properties\.a\.type must be "array" or "boolean"/],
    [object({ a: { type: ['string', 'text'] } }), /^properties\.a\.type\.1 must be "array"/],
    [object({ a: 5 }), /^properties\.a must be object or boolean, not number$/],
    [{ type: 'object', properties: [] }, /^properties must be object, not array$/],
    [{ type: 'object', required: 'a' }, /^required must be array, not string$/],
    [{ type: 'object', required: [5] }, /^required\.0 must be string, not number$/],
    [object({ a: { minLength: -1 } }), /^properties\.a\.minLength: -1 is less than 0$/],
    [object({ a: { multipleOf: 0 } }), /^properties\.a\.multipleOf: /],
    [object({ a: { pattern: '(' } }), /^properties\.a\.pattern: /],
    [{ type: 'object', patternProperties: { '(': {} } }, /^patternProperties/],
    [{ type: 'object', allOf: [] }, /^allOf: /],
    [object({ a: { items: 'string' } }), /^properties\.a\.items must be object or boolean, not string$/],
    [{ type: 'object', $schema: 'http://json-schema.org/draft-04/schema#' }, /^\$schema: /],
    [{ type: 'object', $schema: 5 }, /^\$schema: /],
    [object({ a: { $ref: 'https://a.example/schema' } }), /^\$ref: must stay within the schema/],
    [object({ a: { $ref: 'file:///etc/passwd' } }), /^\$ref: must stay within the schema/],
    [object({ a: { $ref: '#/$defs/none' } }), /^\$ref: #\/\$defs\/none leads nowhere$/],
    [{ type: 'object', $ref: '#' }, /^must not refer to itself without end$/],
    [{ type: 'object', allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } } }, /^must not refer to itself/],
    [
      { type: 'object', $defs: { a: { $id: 'https://a.example/' }, b: { $id: 'https://a.example/' } } },
      /^must have distinct and valid \$id$/,
    ],
    [{ type: 'object', $id: 'http://[' }, /^must have distinct and valid \$id$/],
    [object({ a: { description: 'x'.repeat(64 * 1024) } }), /^must be 64 KiB of JSON at most$/],
    [nested(40), /^must be nested 64 deep at most$/],
    [nested(5000), /^must be nested 64 deep at most$/],
  ])('[TOOL3] cannot be used, case %#', (schema, problem) => {
    expect(schemaProblem(schema)).toMatch(problem)
  })

  it('[TOOL3] any JSON is a schema or has a problem, and is left as it was', () => {
    const keyword = fc.constantFrom(
      'type',
      'properties',
      '$ref',
      'items',
      'allOf',
      'not',
      '$defs',
      'required',
      'enum',
      '$id',
      'pattern',
      '__proto__',
      'constructor',
    )
    const leaf = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('object', '#', '#/$defs/a', 'string', '(a+)+$'))
    const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('schema'), { maxLength: 3 }),
        fc.dictionary(keyword, tie('schema'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(schema, fc.jsonValue({ maxDepth: 3 }), (inner, input) => {
        const whole = object({ a: inner })
        const before = JSON.stringify(whole)
        const problem = schemaProblem(whole)
        if (problem === null)
          expect(inputProblem(whole, { a: input })).toSatisfy((each) => each === null || String(each).startsWith('The input'))
        else expect(problem).not.toBe('')
        expect(JSON.stringify(whole)).toBe(before)
      }),
      { numRuns: 500 },
    )
  })
})

describe('an input against a schema', () => {
  const order = object(
    {
      city: { type: 'string', minLength: 2 },
      days: { type: 'integer', minimum: 1, maximum: 7 },
      unit: { enum: ['metric', 'imperial'] },
      mode: { const: 'fast' },
      note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      stops: { type: 'array', maxItems: 2, items: object({ name: { type: 'string' } }, { required: ['name'] }) },
      'a/b~c': { type: 'boolean' },
      format: { type: 'string' },
    },
    { required: ['city'], additionalProperties: false },
  )

  it.each([
    [{ city: 'Bern' }],
    [{ city: 'Bern', days: 7, unit: 'metric', mode: 'fast', note: null, stops: [{ name: 'Thun', more: 1 }], 'a/b~c': true, format: 'x' }],
  ])('[TOOL3] nothing is wrong, case %#', (input) => {
    expect(inputProblem(order, input)).toBeNull()
  })

  it.each<[unknown, string]>([
    [{}, 'city is required'],
    [null, 'it must be object, not null'],
    [undefined, 'it must be object, not null'],
    ['Bern', 'it must be object, not string'],
    [[], 'it must be object, not array'],
    [{ city: 5 }, 'city must be string, not number'],
    [{ city: 'B' }, 'city: String is too short (1 < 2)'],
    [{ city: 'Bern', days: 1.5 }, 'days must be integer, not number'],
    [{ city: 'Bern', days: 9 }, 'days: 9 is greater than 7'],
    [{ city: 'Bern', unit: 'kelvin' }, 'unit must be "metric" or "imperial"'],
    [{ city: 'Bern', mode: 'slow' }, 'mode must be "fast"'],
    [{ city: 'Bern', note: 5 }, 'note must fit one of its alternatives'],
    [{ city: 'Bern', stops: [{ name: 'a' }, {}] }, 'stops.1.name is required'],
    [{ city: 'Bern', stops: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }, 'stops: Array has too many items (3 > 2)'],
    [{ city: 'Bern', 'a/b~c': 'x' }, 'a/b~c must be boolean, not string'],
    [{ city: 'Bern', town: 'x' }, 'town is not known here'],
    [{ city: 5, days: 'x' }, 'city must be string, not number; days must be integer, not string'],
  ])('[TOOL3] says what is wrong, case %#', (input, problem) => {
    expect(inputProblem(order, input)).toBe(`The input is not valid: ${problem}.`)
  })

  it('[TOOL3] tells a few of many problems, and not at length', () => {
    const wrong = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}${'k'.repeat(5000)}`, 1]))
    const problem = inputProblem(order, { city: 'Bern', ...wrong }) ?? ''
    expect(problem).toContain('; and 45 more.')
    expect(problem.length).toBeLessThan(2000)
  })

  it.each([
    ['an expression that never ends', object({ a: { type: 'string', pattern: '^(a+)+$' } }), { a: `${'a'.repeat(50)}b` }],
    ['one for names', object({}, { patternProperties: { '^(a+)+$': {} }, additionalProperties: false }), { [`${'a'.repeat(50)}b`]: 1 }],
    ['a long repetition', object({ a: { pattern: '^a*a*a*a*b$' } }), { a: 'a'.repeat(100_000) }],
    ['a format', object({ a: { format: 'url' } }), { a: `http://${'a-'.repeat(50_000)}` }],
    ['distinct items', object({ a: { uniqueItems: true } }), { a: Array.from({ length: 100_000 }, (_, index) => index) }],
    ['references that unfold', laughs(50), { x: 'a' }],
    ['a deep input', object({ a: { $ref: '#' } }), JSON.parse('{"a":'.repeat(60) + '{}' + '}'.repeat(60))],
    ['many wrong items', object({ l: { items: { type: 'string' } } }), { l: Array.from({ length: 300_000 }, () => 1) }],
  ])('[TOOL3] is not held up by %s', (_, schema, input) => {
    const begin = performance.now()
    inputProblem(schema, input)
    expect(performance.now() - begin).toBeLessThan(5000)
  })

  it('[TOOL3] what would take too long is refused, not taken', () => {
    expect(schemaProblem(laughs(50))).toBeNull()
    expect(inputProblem(laughs(50), { x: 'a' })).toBe('The input is too deep or too large to be checked.')
    expect(inputProblem(laughs(5), { x: 'a' })).toBeNull()
    expect(inputProblem(laughs(5), { x: 1 })).toBe('The input is not valid: x must be string, not number.')
  })

  it.each(['^a+$', '^[A-Z]{3}$', String.raw`^\d{4}-\d{2}-\d{2}$`, '^[a-z0-9-]{1,63}$', '^id_[0-9a-f]*z$'])(
    '[TOOL3] the plain expression %s is checked',
    (pattern) => {
      const schema = object({ a: { type: 'string', pattern } })
      expect(inputProblem(schema, { a: '§' })).toBe('The input is not valid: a: String does not match pattern.')
    },
  )

  const dear = '(a|b)+'
  it.each<[string, JsonSchema, unknown]>([
    ['pattern', { pattern: dear }, 'zzz'],
    ['not', { not: { pattern: dear } }, 'zzz'],
    ['if', JSON.parse(`{"if":{"pattern":"${dear}"},"then":{"minLength":9},"else":{"const":"z"}}`), 'z'],
    ['oneOf', { oneOf: [{ pattern: dear }, { pattern: '(c|d)+' }] }, 'a'],
    ['contains', { contains: { pattern: dear }, maxContains: 1 }, ['a', 'z']],
    ['patternProperties', { patternProperties: { [dear]: { type: 'string' } }, additionalProperties: false }, { a: 'x' }],
    ['unevaluatedProperties', { allOf: [{ patternProperties: { [dear]: {} } }], unevaluatedProperties: false }, { a: 'x' }],
  ])('[TOOL3] a check that is left out refuses nothing that the schema takes: %s', (_, part, value) => {
    const schema = object({ v: part, n: { type: 'number' } })
    expect(inputProblem(schema, { v: value })).toBeNull()
    expect(inputProblem(schema, { v: value, n: 'x' })).toBe('The input is not valid: n must be number, not string.')
  })

  it('[TOOL3] a schema is compiled once', () => {
    let reads = 0
    const watched = object({ a: { type: 'string' } })
    Object.defineProperty(watched, 'title', { enumerable: true, get: () => ((reads += 1), 'counted') })
    for (const input of [{}, { a: 1 }, { a: 'x' }]) inputProblem(watched, input)
    expect(reads).toBe(1)
  })
})
