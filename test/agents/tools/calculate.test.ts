import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calculate } from '../../../src/agents/tools/calculate.ts'
import { callOf } from './tool-call.ts'

async function resultOf(expression: string): Promise<unknown> {
  const { output } = await calculate.run({ expression }, callOf())
  return output
}

describe('calculate', () => {
  it.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['2^3^2', 512],
    ['2 - 3^2', -7],
    ['2^-1', 0.5],
    ['(-2)^2', 4],
    ['-(2^2)', -4],
    ['-2 * 3', -6],
    ['10 - -3', 13],
    ['max(1, 2, PI)', Math.PI],
    ['round(sqrt(2) * 100) / 100', 1.41],
    ['log10(1000) + cbrt(27)', 6],
    ['1.5e3 / 3', 500],
    ['2 > 1', 1],
    ['1 != 1', 0],
  ])('[TOOL3] %s is %d', async (expression, result) => {
    expect(await resultOf(expression)).toEqual({ result })
  })

  it.each([
    'constructor',
    '__proto__',
    'constructor.constructor("return process")()',
    'constructor.constructor()',
    'toString()',
    'valueOf',
    'evaluate(1)',
    'evaluate()',
    'setFormula(1)',
    'setFormula("1")',
    'parse("1")',
    'formulaExpression.evaluate()',
    'formulaStr',
    'options.memoization',
    '[constructor]',
    '[__proto__.constructor](1)',
    '_variables.fill(1)',
    'ifElse(1, 2, 3)',
    'first(1, 2)',
    'random()',
    'Math.max(1, 2)',
    'max.constructor(1)',
    'max.call(1)',
    'max',
    'PI(1)',
    'x + 1',
    '"a" + 1',
    "'a'",
    '"\\"',
  ])('[TOOL3] looks nothing up for %s', async (expression) => {
    await expect(resultOf(expression)).rejects.toThrow(
      /^There is no (function|value)|numbers only, no text|cannot be evaluated: Unterminated/,
    )
  })

  it.each([
    ['1 / 0', 'infinite'],
    ['9^9^9^9', 'infinite'],
    ['exp(1000)', 'infinite'],
    ['min()', 'infinite'],
    ['0 / 0', 'not a number'],
    ['sqrt(-1)', 'not a number'],
    ['-2^2', 'two ways'],
    ['- PI ^ 2', 'two ways'],
    ['-(2)^2', 'two ways'],
    ['3 * -sqrt(4)^2', 'two ways'],
    ['--2^2', 'two ways'],
    ['1 +', 'cannot be evaluated'],
    ['()', 'cannot be evaluated'],
    ['2 3', 'cannot be evaluated'],
    ['5 % 2', 'cannot be evaluated'],
    ['1; 2', 'cannot be evaluated'],
    [' ', 'cannot be evaluated'],
  ])('[TOOL3] tells plainly what is wrong with %s: %s', async (expression, words) => {
    const failed = resultOf(expression)
    await expect(failed).rejects.toThrow(words)
    await expect(failed).rejects.toHaveProperty('name', 'ToolError')
  })

  it('[TOOL3] expressions of full length take no time, however deep', async () => {
    const deep = [
      '('.repeat(249) + '1' + ')'.repeat(249),
      `${'-'.repeat(499)}1`,
      `${'2^'.repeat(249)}1`,
      `${'abs('.repeat(99)}1${')'.repeat(99)}`,
    ]
    const unfinished = ['('.repeat(500), '"'.repeat(499), `"${'\\"'.repeat(249)}`, 'max('.repeat(125), '1,'.repeat(250), '[['.repeat(250)]
    const begin = performance.now()
    await Promise.allSettled([...deep, ...unfinished].map(resultOf))
    expect(performance.now() - begin).toBeLessThan(500)
    expect(await resultOf(deep[0] ?? '')).toEqual({ result: 1 })
  })

  it('[TOOL3] is limited to 500 characters', () => {
    expect(calculate.problemOf({ expression: '1'.repeat(500) })).toBeNull()
    expect(calculate.problemOf({ expression: '1'.repeat(501) })).toContain('500 characters at most')
  })

  it('[TOOL3] agrees with JavaScript on any sum and product', async () => {
    const compute = { '+': (a: number, b: number) => a + b, '-': (a: number, b: number) => a - b, '*': (a: number, b: number) => a * b }
    const operator = fc.constantFrom('+', '-', '*')
    const { sum } = fc.letrec<{ sum: { text: string; value: number } }>((tie) => ({
      sum: fc.oneof(
        { maxDepth: 4 },
        fc.integer({ min: -1000, max: 1000 }).map((value) => ({ text: String(value), value })),
        fc.tuple(tie('sum'), operator, tie('sum')).map(([left, sign, right]) => ({
          text: `(${left.text} ${sign} ${right.text})`,
          value: compute[sign](left.value, right.value),
        })),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(sum, async ({ text, value }) => {
        fc.pre(text.length <= 500)
        expect(await resultOf(text)).toMatchObject({ result: expect.closeTo(value, 5) })
      }),
    )
  })

  it('[TOOL3] any text at all is a number or a sentence', async () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '-',
      '^',
      '1',
      'max',
      'PI',
      ',',
      '"',
      '[',
      ']',
      'constructor',
      '.',
      'e',
      '=',
      '!',
      ' ',
      '__proto__',
    )
    const text = fc.oneof(
      fc.string({ maxLength: 100 }),
      fc.array(pieces, { maxLength: 40 }).map((each) => each.join('')),
    )
    await fc.assert(
      fc.asyncProperty(text, async (expression) => {
        fc.pre(calculate.problemOf({ expression }) === null)
        const outcome = await resultOf(expression).catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome.name).toBe('ToolError')
        else expect(outcome).toEqual({ result: expect.any(Number) })
      }),
      { numRuns: 1000 },
    )
  })
})
