/** Names of MCP tools: whatever a server calls them, models can take them, and no two are the same. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mcpToolNames } from '../../../src/agents/tools/mcp-tool-names.ts'

function namesOf(...originals: string[]): (string | undefined)[] {
  const names = mcpToolNames('files', originals)
  return originals.map((original) => names.get(original))
}

it('[TOOL3] a name that models take stays, behind that of its server', () => {
  expect(namesOf('read', 'read_file', 'a-b')).toEqual(['files__read', 'files__read_file', 'files__a-b'])
})

it('[TOOL3] others become one, and never take one from a tool that has it by right', () => {
  expect(namesOf('a.b', 'a_b', 'a/b')).toEqual([
    expect.stringMatching(/^files__a_b_[0-9a-f]{8}$/),
    'files__a_b',
    expect.stringMatching(/^files__a_b_[0-9a-f]{8}$/),
  ])
  expect(namesOf('a.b')).toEqual(['files__a_b'])
})

it('[TOOL3] a long name is cut, and told from another long one', () => {
  const [first, second] = namesOf(`${'x'.repeat(100)}1`, `${'x'.repeat(100)}2`)
  expect(first).toMatch(/^files__x{48}_[0-9a-f]{8}$/)
  expect(first).not.toBe(second)
})

it('[TOOL3] whatever the server calls its tools, each has one name of its own that models take', () => {
  const name = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: fc.constantFrom('a', '.', '_', 'ü'), minLength: 1 }))
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 40 }), (originals) => {
      const names = namesOf(...originals)
      expect(new Set(names).size).toBe(originals.length)
      for (const each of names) expect(each).toMatch(/^files__[a-zA-Z0-9_-]{1,57}$/)
    }),
  )
})
