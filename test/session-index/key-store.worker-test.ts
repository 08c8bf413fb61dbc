import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { insertKey, isRevoked, listKeys, revokeKey } from '../../src/session-index/key-store.ts'
import { costOf, valueOf } from './index-fixture.ts'

const keyOf = (tenant: string, n: number) => ({
  id: `key_${String(n).padStart(26, '0')}`,
  tenant,
  name: `key ${n}`,
  scope: 'member' as const,
  createdAt: 1000 + Math.floor(n / 3),
})

test('[SEC6] keys are listed newest first, page by page, of one tenant', async () => {
  for (let n = 1; n <= 10; n++) expect(await insertKey(env.INDEX, keyOf('keys', n))).toBe(true)
  await insertKey(env.INDEX, keyOf('others', 11))
  const names: string[] = []
  let cursor: string | null = null
  do {
    const page: { items: { name: string }[]; next: string | null } = valueOf(await listKeys(env.INDEX, 'keys', { limit: 3, cursor }))
    names.push(...page.items.map(({ name }) => name))
    cursor = page.next
  } while (cursor !== null)
  expect(names).toEqual(Array.from({ length: 10 }, (_, i) => `key ${10 - i}`))
  const first = valueOf(await listKeys(env.INDEX, 'keys', { limit: 1, cursor: null }))
  expect(first.items).toEqual([{ ...keyOf('keys', 10), revokedAt: null }])
  const other = await listKeys(env.INDEX, 'others', { limit: 1, cursor: first.next })
  expect(other).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
})

test('[SEC6] a key is revoked once, by its own tenant or by the operator', async () => {
  const { id } = keyOf('revoked', 21)
  await insertKey(env.INDEX, keyOf('revoked', 21))
  expect(await isRevoked(env.INDEX, id)).toBeNull()
  expect(await revokeKey(env.INDEX, 'stranger', id, 5)).toBe(false)
  expect(await isRevoked(env.INDEX, id)).toBeNull()
  expect(await revokeKey(env.INDEX, 'revoked', id, 6)).toBe(true)
  expect(await revokeKey(env.INDEX, null, id, 7)).toBe(true)
  expect(await isRevoked(env.INDEX, id)).toBe(6)
  expect(await revokeKey(env.INDEX, null, keyOf('revoked', 99).id, 7)).toBe(false)
  expect(await isRevoked(env.INDEX, keyOf('revoked', 99).id)).toBeNull()
})

test('[SEC6] inserting a key again neither changes it nor lifts its revocation', async () => {
  await insertKey(env.INDEX, keyOf('again', 31))
  await revokeKey(env.INDEX, null, keyOf('again', 31).id, 9)
  expect(await insertKey(env.INDEX, { ...keyOf('again', 31), name: 'other' })).toBe(false)
  const { items } = valueOf(await listKeys(env.INDEX, 'again', { limit: 10, cursor: null }))
  expect(items).toEqual([{ ...keyOf('again', 31), revokedAt: 9 }])
})

test('[LOG5] looking a key up reads one row; listing reads a page and writes nothing', async () => {
  for (let n = 100; n < 300; n++) await insertKey(env.INDEX, keyOf('many', n))
  expect(await costOf((db) => isRevoked(db, keyOf('many', 150).id))).toMatchObject({ rowsRead: 1, rowsWritten: 0 })
  expect(await costOf((db) => listKeys(db, 'many', { limit: 10, cursor: null }))).toMatchObject({ rowsRead: 11, rowsWritten: 0 })
})
