/** Token estimates: four characters each, rounded up, and never none. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { estimateTokens } from '../../src/core/tokens.ts'
import type { Part } from '../../src/protocol/message.ts'

const text = (length: number): Part => ({ type: 'text', text: 'x'.repeat(length) })

test('[LOG6] a message is a quarter of its characters, rounded up once for all its parts', () => {
  expect([0, 1, 4, 5, 8, 400].map((length) => estimateTokens([text(length)]))).toEqual([1, 1, 1, 2, 2, 100])
  expect(estimateTokens([text(2), text(2)])).toBe(1)
  expect(estimateTokens([])).toBe(1)
})

test('[LOG6] every kind of part counts what a model would read of it', () => {
  const ids = { toolCallId: 'call', toolName: 'look' }
  const counted: [Part, number][] = [
    [{ type: 'reasoning', text: 'x'.repeat(40) }, 10],
    [{ type: 'file', mediaType: 'image/png', data: 'QUJD'.repeat(10) }, 10],
    [{ type: 'file', mediaType: 'image/png', url: 'https://a.test/' }, 4],
    [{ type: 'tool-call', ...ids, input: { at: 'x'.repeat(31) } }, 10],
    [{ type: 'tool-call', ...ids, input: undefined }, 1],
    [{ type: 'tool-result', ...ids, output: 'x'.repeat(38), isError: false }, 10],
    [{ type: 'tool-result', ...ids, output: null, isError: true }, 1],
  ]
  expect(counted.map(([part]) => estimateTokens([part]))).toEqual(counted.map(([, tokens]) => tokens))
})

test('[LOG6] splitting a message into parts changes nothing, splitting it in two messages at most one token', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 }), (a, b) => {
      const whole = estimateTokens([text(a + b)])
      expect(estimateTokens([text(a), text(b)])).toBe(whole)
      expect([whole, whole + 1]).toContain(estimateTokens([text(a)]) + estimateTokens([text(b)]))
    }),
    { numRuns: 300 },
  )
})
