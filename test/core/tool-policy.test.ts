/** Who decides whether a tool runs: denials first, then the nearest word. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fits, toolAction } from '../../src/core/tool-policy.ts'
import type { ToolApproval } from '../../src/protocol/agent.ts'
import type { Policy, PolicyAction } from '../../src/protocol/policy.ts'

/** Few characters, so that patterns and names meet often; some that an expression would take for its own. */
const name = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '+', '$'), maxLength: 8 })
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '+', '$', '*', '*'), maxLength: 8 })

const policies = fc.array(
  fc.record({ tool: fc.constantFrom('pay', 'p*', '*', 'look', 'l*k'), action: fc.constantFrom<PolicyAction>('allow', 'ask', 'deny') }),
  { maxLength: 4 },
)
const approval = fc.constantFrom<ToolApproval>('never', 'always', 'policy')

describe('patterns', () => {
  test('[TOOL5] fit what the same regular expression fits', () => {
    fc.assert(
      fc.property(pattern, name, (text, tool) => {
        const pieces = text.split('*').map((piece) => piece.replaceAll(/[.+$]/g, String.raw`\$&`))
        expect(fits(text, tool)).toBe(new RegExp(`^${pieces.join('.*')}$`, 's').test(tool))
      }),
      { numRuns: 5000 },
    )
  })

  test('[TOOL5] fit every name that is made by filling their stars', () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), fc.array(name, { minLength: 4, maxLength: 4 }), (pieces, fillings) => {
        const filled = pieces.map((piece, index) => piece + (index < pieces.length - 1 ? fillings[index] : '')).join('')
        expect(fits(pieces.join('*'), filled)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('[TOOL5] take a time that grows with their length, and no more', () => {
    const startedAt = performance.now()
    expect(fits('*a'.repeat(50), `${'a'.repeat(10_000)}b`)).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  test.each([
    ['github__*', 'github__create_issue', true],
    ['github__*', 'github_', false],
    ['*', '', true],
    ['', '', true],
    ['pay', 'pays', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*b*b*', 'b', false],
  ])('[TOOL5] %s and the name %j: %s', (text, tool, expected) => expect(fits(text, tool)).toBe(expected))
})

describe('decisions', () => {
  const decide = (tool: ToolApproval, ofSession: Policy[] = [], ofAgent: Policy[] = [], allow: string[] = []) =>
    toolAction('pay', tool, { policies: ofSession, allow }, ofAgent)
  const says = (action: PolicyAction, tool = 'pay'): Policy[] => [{ tool, action }]

  test('[TOOL5] a denial wins, whoever made it and whatever else is said', () => {
    fc.assert(
      fc.property(
        policies,
        policies,
        fc.array(fc.constantFrom('pay', 'look')),
        approval,
        fc.constantFrom('pay', 'look'),
        (a, b, allow, asks, tool) => {
          const first = (list: Policy[]) => list.find((policy) => fits(policy.tool, tool))?.action
          const isDenied = first(a) === 'deny' || first(b) === 'deny'
          expect(toolAction(tool, asks, { policies: a, allow }, b) === 'deny').toBe(isDenied)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('[TOOL5] of several policies of one list the first that fits counts', () => {
    expect(decide('policy', [...says('ask', 'look'), ...says('allow'), ...says('deny', 'p*')])).toBe('allow')
    expect(decide('policy', [...says('deny', 'p*'), ...says('allow')])).toBe('deny')
  })

  test('[TOOL5] what a person allowed in this session runs, even what always asks', () => {
    expect(decide('always', says('ask'), says('ask'), ['pay'])).toBe('allow')
    expect(decide('always', [], [], ['look'])).toBe('ask')
  })

  test('[TOOL5] what always asks is not let through by a policy', () => {
    for (const action of ['allow', 'ask'] as const) expect(decide('always', says(action), says(action))).toBe('ask')
  })

  test('[TOOL5] the session’s policy comes before the agent’s, and the agent’s before what the tool asks for', () => {
    expect(decide('policy', says('allow'), says('ask'))).toBe('allow')
    expect(decide('policy', says('ask'), says('allow'))).toBe('ask')
    expect(decide('never', [], says('ask'))).toBe('ask')
    expect(decide('policy', [], says('allow'))).toBe('allow')
  })

  test('[TOOL5] without a policy a tool that never asks runs, and every other asks', () => {
    expect([decide('never'), decide('policy'), decide('always')]).toEqual(['allow', 'ask', 'ask'])
    expect(toolAction('pay', 'policy', {}, [])).toBe('ask')
  })
})
