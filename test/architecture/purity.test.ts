/** The core decides from its arguments alone: no clock, no randomness, no waiting, no world. */
import { describe, expect, it } from 'vitest'
import { sourceFiles, withoutComments } from './source-files.ts'

const globals = [
  'Date',
  'Temporal',
  'performance',
  'crypto',
  'fetch',
  'WebSocket',
  'caches',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'console',
  'process',
  'globalThis',
  'Promise',
]

const impurities: Record<string, RegExp> = {
  'a global of the world': new RegExp(`(?<![.\\w$#])(?:${globals.join('|')})(?![\\w$]|\\s*\\??:)`),
  'Math.random': /\bMath\s*(?:\.\s*random|\[)/,
  'async or await': /\b(?:async|await)\b(?!\s*\??:)/,
  'a locale or time zone of the machine': /\.toLocale\w*\(|(?<![.\w$])Intl\b|\.localeCompare\(/,
  'a lazy import': /\bimport\(|\brequire\(/,
}

/** What is impure in a piece of code. Words in comments and strings do no harm. */
function impuritiesIn(text: string): string[] {
  const code = withoutComments(text).replaceAll(/'(?:\\.|[^'\\\n])*'/g, "''")
  return Object.keys(impurities).filter((name) => impurities[name]?.test(code))
}

describe('purity of the core', () => {
  it('[ARC3] no file of the core reaches for the world', () => {
    const core = sourceFiles().filter((file) => file.folder === 'core')
    expect(core.length).toBeGreaterThan(5)
    const found = core.flatMap((file) => impuritiesIn(file.text).map((what) => `${file.path}: ${what}`))
    expect(found).toEqual([])
  })

  it.each([
    'const now = Date.now()',
    'const now = new Date()',
    'const id = crypto.randomUUID()',
    'const x = Math.random()',
    "const x = Math['random']()",
    'void fetch(url)',
    'setTimeout(run, 5)',
    'queueMicrotask(run)',
    'const t = performance.now()',
    'console.log(state)',
    'const key = process.env.KEY',
    'const key = globalThis.process',
    'async function decide() {}',
    'for await (const x of y) take(x)',
    'return new Promise(settle)',
    'return a.localeCompare(b)',
    "const x = import('./reduce.ts')",
  ])('[ARC3] the check bites: %s', (code) => {
    expect(impuritiesIn(`const a = 1\n${code}\n`)).toHaveLength(1)
  })

  it.each([
    '// Date.now() would be wrong here, and await too',
    '/** Nothing of fetch or console. */',
    "const words = 'await fetch, then setTimeout'",
    'const at = draft.process',
    'interface Report { process: number }',
    'const updateDate = state.updatedAt',
  ])('[ARC3] the check lets pass: %s', (code) => {
    expect(impuritiesIn(code)).toEqual([])
  })
})
