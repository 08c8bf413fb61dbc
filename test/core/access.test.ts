/** `authorize` against the table of the API contract, row by row. */
import { describe, expect, test } from 'vitest'
import { authorize, byOf, levelOf, levels, verbLevels, type Level, type Principal, type Verb } from '../../src/protocol/access.ts'
import { configurationFields, isConfiguration, UpdateSessionSchema } from '../../src/protocol/body.ts'

const sessionId = 'ses_00000000000000000000000000'
const otherSessionId = 'ses_11111111111111111111111111'

function principalOf(level: Level): Principal {
  if (level === 'member' || level === 'admin' || level === 'operator') return { kind: 'key', id: 'key_a', tenant: 'default', scope: level }
  return { kind: 'token', id: 'key_a', name: 'Link', tenant: 'default', sessionId, access: level, epoch: 0, expiresAt: 1 }
}

/** The rows of the table; a column is a level, from the least to the most. */
const rows: { verbs: Verb[]; allowed: Level[] }[] = [
  { verbs: ['read', 'attach', 'search', 'export'], allowed: ['read', 'write', 'approve', 'member', 'admin', 'operator'] },
  {
    verbs: ['turn', 'cancel', 'update', 'checkpoint', 'compact', 'undoCompaction', 'rewind', 'unrewind'],
    allowed: ['write', 'approve', 'member', 'admin', 'operator'],
  },
  { verbs: ['approve'], allowed: ['approve', 'member', 'admin', 'operator'] },
  { verbs: ['configure', 'create', 'erase', 'list', 'tokens', 'context', 'agents'], allowed: ['member', 'admin', 'operator'] },
  { verbs: ['keys', 'changeAgents', 'metrics'], allowed: ['admin', 'operator'] },
  { verbs: ['allKeys'], allowed: ['operator'] },
]

const cells = rows.flatMap(({ verbs, allowed }) =>
  verbs.flatMap((verb) => levels.map((level) => ({ verb, level, may: allowed.includes(level) }))),
)

describe('authorize', () => {
  test.for(cells)('[SEC2] $level may $verb: $may', ({ verb, level, may }) => {
    const answer = authorize(principalOf(level), verb, sessionId)
    expect(answer).toMatchObject(may ? { ok: true } : { ok: false, error: { code: 'forbidden', retryable: false } })
  })

  test('[SEC2] every verb has a row, and only one', () => {
    expect(rows.flatMap(({ verbs }) => verbs).toSorted()).toEqual(Object.keys(verbLevels).toSorted())
  })

  test.for(['read', 'write', 'approve'] as const)('[SEC1] a %s token is good for its own session alone', (access) => {
    expect(authorize(principalOf(access), 'read', sessionId).ok).toBe(true)
    for (const elsewhere of [otherSessionId, undefined]) {
      expect(authorize(principalOf(access), 'read', elsewhere)).toMatchObject({ ok: false, error: { code: 'forbidden' } })
    }
  })

  test('[SEC1] a key is good for any session of its tenant', () => {
    expect([sessionId, otherSessionId, undefined].map((id) => authorize(principalOf('member'), 'read', id).ok)).toEqual([true, true, true])
  })

  test('[SEC2] a token has the level of its access, a key that of its scope', () => {
    expect(levels.map((level) => levelOf(principalOf(level)))).toEqual([...levels])
  })
})

describe('who asked', () => {
  test('[SEC4] events tell kind, id and name of the asker, nothing else of the credentials', () => {
    expect(byOf(principalOf('read'))).toEqual({ kind: 'token', id: 'key_a', name: 'Link' })
    expect(byOf(principalOf('admin'))).toStrictEqual({ kind: 'key', id: 'key_a' })
  })
})

describe('updates', () => {
  test('[SEC2] title, tags and metadata need write access; every other field of a patch needs more', () => {
    const open = ['title', 'tags', 'metadata']
    expect([...open, ...configurationFields].toSorted()).toEqual(Object.keys(UpdateSessionSchema.entries).toSorted())
    expect(isConfiguration({ title: null, tags: [], metadata: {} })).toBe(false)
    expect(isConfiguration({ title: 'Talk', instructions: null })).toBe(true)
    expect(isConfiguration({ archived: false })).toBe(true)
  })
})
