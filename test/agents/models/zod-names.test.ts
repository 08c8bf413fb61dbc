import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import * as stand from '../../../src/agents/models/zod.ts'

/** What is reached from the entry of each package, by static imports. */
const packages = ['@ai-sdk/openai-compatible', '@ai-sdk/anthropic/internal', '@ai-sdk/mcp', '@ai-sdk/provider-utils', '@ai-sdk/provider']
const require = createRequire(import.meta.url)

/** Names of zod that a package uses: members of its namespaces, and named imports. */
function namesIn(code: string): string[] {
  const imports = [...code.matchAll(/import \{([^}]*)\} from "zod\/v4"/g)].flatMap((match) => (match[1] ?? '').split(','))
  const members = [...code.matchAll(/(?<![\w$.])z4?\.([A-Za-z]\w*)/g)].map((match) => match[1] ?? '')
  return [...imports.map((name) => name.trim().split(' as ')[0] ?? ''), ...members]
}

describe('what stands for zod in the bundle', () => {
  it('[AGT2] has every name that the providers’ packages use', () => {
    const used = new Set(packages.flatMap((name) => namesIn(readFileSync(require.resolve(name), 'utf8'))))
    expect(used.size).toBeGreaterThan(20)
    const present = new Set([...Object.keys(stand), ...Object.keys(stand.z)])
    expect([...used].filter((name) => !present.has(name))).toEqual([])
  })

  it('[AGT2] the check finds a name that is missing', () => {
    expect(namesIn('import { z } from "zod/v4";\nconst a = z.object({ b: z.notAName() });\nbaz.string()')).toEqual([
      'z',
      'object',
      'notAName',
    ])
  })
})
