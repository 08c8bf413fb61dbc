/**
 * Arithmetic, without eval. The library would look a name up in objects and their prototypes, and call what it finds; so an
 * expression is read into tokens first, and only numbers, operators and the names listed here ever reach it.
 */
import Formula from 'fparser'
import * as v from 'valibot'
import { defineTool } from './define-tool.ts'
import { ToolError } from './tool.ts'

const functionNames =
  'abs acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh exp expm1 floor hypot log log10 log1p log2 max min pow round sign sin sinh sqrt tan tanh trunc'.split(
    ' ',
  )

const functions = new Map(functionNames.map((name) => [name, Math[name]]))
const constants = new Map(Object.entries(Formula.MATH_CONSTANTS))
const known = Object.fromEntries([...functions, ...constants])

export const calculate = defineTool({
  name: 'calculate',
  description: `Evaluates an arithmetic expression: + - * / ^ ( ), comparisons (1 or 0), ${[...constants.keys()].join(', ')}, and ${functionNames.join(', ')}. Example: 3 * sqrt(2) + max(1, 2^5)`,
  input: v.strictObject({
    expression: v.pipe(v.string(), v.nonEmpty('must not be empty'), v.maxLength(500, 'must be 500 characters at most')),
  }),
  approval: 'never',
  idempotent: true,
  run: ({ expression }) => ({ output: { result: evaluate(expression) } }),
})

interface Token {
  kind: string
  value: string
}

function evaluate(expression: string): number {
  const result = compute(expression)
  if (typeof result !== 'number' || Number.isNaN(result)) throw new ToolError('The result is not a number, as of 0/0 or sqrt(-1).')
  if (!Number.isFinite(result)) throw new ToolError('The result is infinite: too large for a number, or a division by zero.')
  return result
}

function compute(expression: string): unknown {
  try {
    const tokens = tokensOf(expression)
    checkNames(tokens)
    checkSigns(tokens)
    return new Formula(expression).evaluate(known)
  } catch (error) {
    if (error instanceof ToolError) throw error
    const why = error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read'
    throw new ToolError(`The expression cannot be evaluated: ${why}.`)
  }
}

function tokensOf(expression: string): Token[] {
  return new Formula.Tokenizer().tokenize(expression).map(({ type, value }) => ({ kind: type, value: String(value) }))
}

function checkNames(tokens: readonly Token[]): void {
  for (const { kind, value } of tokens) {
    if (kind === 'STRING') throw new ToolError('An expression holds numbers only, no text.')
    if (kind === 'FUNCTION' && !functions.has(value))
      throw new ToolError(`There is no function ${value}; there are ${functionNames.join(', ')}.`)
    if (kind === 'VARIABLE' && !constants.has(value)) throw new ToolError(`There is no value named ${value}; write numbers.`)
  }
}

/** The library takes -2^2 for (-2)^2, most people for -(2^2): nobody is to be surprised by the wrong one. */
function checkSigns(tokens: readonly Token[]): void {
  for (const [index, { kind, value }] of tokens.entries()) {
    const isSignedNumber = kind === 'NUMBER' && value.startsWith('-')
    const isSign = kind === 'OPERATOR' && value === '-' && !endsOperand(tokens[index - 1])
    if (!isSignedNumber && !isSign) continue
    const end = endOfOperand(tokens, isSign ? index + 1 : index)
    if (tokens[end + 1]?.value === '^') throw new ToolError('A minus sign before a power can be read in two ways: write (-2)^2 or -(2^2).')
  }
}

function endsOperand(token: Token | undefined): boolean {
  return token !== undefined && ['NUMBER', 'VARIABLE', 'RIGHT_PAREN'].includes(token.kind)
}

/** Of a number, a name, a call or a parenthesis: its last token. */
function endOfOperand(tokens: readonly Token[], start: number): number {
  let depth = 0
  for (const [index, { kind }] of tokens.entries()) {
    if (index < start) continue
    if (kind === 'LEFT_PAREN') depth++
    if (kind === 'RIGHT_PAREN') depth--
    if (depth === 0 && kind !== 'FUNCTION' && kind !== 'OPERATOR') return index
  }
  return tokens.length
}
