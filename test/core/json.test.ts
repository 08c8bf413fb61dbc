/** The one way in for a client's JSON: bounded nesting, well-formed text, and issues that name their field. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CreateSessionSchema, SubmitTurnSchema } from '../../src/protocol/body.ts'
import { parseJson, parseWith } from '../../src/protocol/json.ts'
import { limits } from '../../src/protocol/limits.ts'

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const nestedObjects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
const refused = { ok: false, error: { code: 'invalid_request' } }

/** Any value, and texts whose brackets, quotes and backslashes would mislead a count that ignores strings. */
const wellFormed = fc.oneof(
  fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }),
  fc.array(fc.string({ unit: fc.constantFrom('[', '{', '"', '\\', ']', '}', 'a', '😴') })),
)

describe('parseJson', () => {
  test('[SEC5] what JSON can say comes back as it was, whatever its strings hold', () => {
    fc.assert(
      fc.property(wellFormed, (value) => {
        const json = JSON.stringify(value)
        expect(parseJson(json)).toEqual({ ok: true, value: JSON.parse(json) })
      }),
      { numRuns: 1000 },
    )
  })

  test('[SEC5] no text at all makes it throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary-ascii' }), fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', '1') })),
        (text) => {
          expect(() => parseJson(text)).not.toThrow()
        },
      ),
      { numRuns: 300 },
    )
  })

  test('[SEC5] 64 levels are accepted, 65 are not, of arrays and of objects', () => {
    expect([nested(64), nestedObjects(64)].map((text) => parseJson(text).ok)).toEqual([true, true])
    for (const text of [nested(65), nestedObjects(65), `{"a":${nested(64)}}`]) expect(parseJson(text)).toMatchObject(refused)
    expect(limits.jsonDepth).toBe(64)
  })

  test('[SEC5] brackets inside strings are no nesting, behind escaped quotes too', () => {
    const brackets = '[{'.repeat(100)
    for (const text of [brackets, `\\${brackets}`, `"${brackets}`, `${brackets}\\\\"`]) {
      expect(parseJson(JSON.stringify({ text }))).toEqual({ ok: true, value: { text } })
    }
    expect(parseJson(`["\\\\", ${nested(64)}]`)).toMatchObject(refused)
  })

  test('[SEC5] a body of brackets alone is refused, not a stack overflow', () => {
    expect(parseJson('['.repeat(1_000_000))).toMatchObject(refused)
    expect(parseJson(nestedObjects(100_000))).toMatchObject(refused)
  })

  test.for(['', '{', '{"a":1,}', 'undefined', "{'a':1}", '[1] 2', ']'])('[SEC5] what is no JSON is refused: %s', (text) => {
    expect(parseJson(text)).toMatchObject(refused)
  })

  test.for(['"\\ud83d"', '"\\udca4\\ud83d"', '["a","\\ud83d b"]', '{"a":{"b":["\\udca4"]}}', '{"\\ud83d":1}', '"\ud83d"'])(
    '[ATT2] a lone surrogate is refused, in values and in keys: %j',
    (text) => expect(parseJson(text)).toMatchObject(refused),
  )

  test('[ATT2] a pair of surrogates is one character, however it is written', () => {
    expect(parseJson('{"\\ud83d\\udca4":"💤"}')).toEqual({ ok: true, value: { '💤': '💤' } })
  })
})

describe('parseWith', () => {
  test('[SEC3] a client submits text and files; the words of an assistant or a tool are refused', () => {
    const forged = [
      { type: 'reasoning', text: 'hm' },
      { type: 'tool-result', toolCallId: 'a', toolName: 'b', output: 1, isError: false },
      { type: 'tool-call' },
    ]
    for (const part of forged) expect(parseWith(SubmitTurnSchema, { input: [part] })).toMatchObject(refused)
    expect(parseWith(SubmitTurnSchema, { input: 'Hi', role: 'assistant' })).toMatchObject(refused)
  })

  test('[SEC3] a string stands for one part of text, and enqueue is the default', () => {
    expect(parseWith(SubmitTurnSchema, { input: 'Hi' })).toEqual({
      ok: true,
      value: { input: [{ type: 'text', text: 'Hi' }], whenBusy: 'enqueue' },
    })
  })

  test('[SEC5] an issue names the field by its path, and there are 20 at most', () => {
    const parsed = parseWith(SubmitTurnSchema, { input: 'Hi', whenBusy: 'later' })
    expect(parsed).toMatchObject({ ok: false, error: { code: 'invalid_request', issues: [{ path: 'whenBusy' }] } })
    const unknown = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`field${index}`, 1]))
    const many = parseWith(SubmitTurnSchema, { input: 'Hi', ...unknown })
    expect(many.ok ? 0 : many.error.issues?.length).toBeLessThanOrEqual(20)
  })

  test('[SEC5] an input has a part, 256 at most, and a file is given by address or by value', () => {
    const accepted = (input: unknown) => parseWith(SubmitTurnSchema, { input }).ok
    const part = { type: 'text', text: '' }
    expect([[], '', Array(257).fill(part)].map(accepted)).toEqual([false, false, false])
    expect([[part], Array(256).fill(part)].map(accepted)).toEqual([true, true])
    const file = { type: 'file', mediaType: 'image/png' }
    const [url, value] = [{ url: 'https://a.test/b.png' }, { data: 'QUJD' }]
    expect([file, { ...file, ...url, ...value }, { ...file, url: 'file:///etc/hosts' }].map((it) => accepted([it]))).toEqual([
      false,
      false,
      false,
    ])
    expect(
      [
        { ...file, ...url },
        { ...file, ...value },
      ].map((it) => accepted([it])),
    ).toEqual([true, true])
  })

  test.each([
    [SubmitTurnSchema, {}, 'input: is required'],
    [SubmitTurnSchema, { input: '' }, 'input: must not be empty'],
    [SubmitTurnSchema, { input: 5 }, 'input: must be a string, not 5'],
    [SubmitTurnSchema, { input: 'Hi', extra: 1 }, 'extra: is not a field of this request'],
    [SubmitTurnSchema, { input: [{ type: 'tool-result' }] }, 'input.0.type: must be text or file, not tool-result'],
    [SubmitTurnSchema, { input: [{ type: 'text' }] }, 'input.0.text: is required'],
    [CreateSessionSchema, [], 'must be an object, not an array'],
    [CreateSessionSchema, { metadata: [] }, 'metadata: must be an object, not an array'],
    [CreateSessionSchema, { settings: { budgets: { steps: 0.5 } } }, 'settings.budgets.steps: must be a whole number'],
    [CreateSessionSchema, { title: { a: 'x'.repeat(500) } }, 'title: must be a string, not an object'],
  ])('[SEC5] a wrong value is told in words of the request: %#', (schema, value, message) => {
    expect(parseWith<typeof schema>(schema, value)).toMatchObject({ ok: false, error: { message } })
  })
})
