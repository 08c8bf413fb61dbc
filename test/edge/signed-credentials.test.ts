import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { makeKey, verifyKey } from '../../src/edge/key.ts'
import { makeSessionToken, verifySessionToken } from '../../src/edge/session-token.ts'
import { decodeBase64url, encodeBase64url, isSameSecret } from '../../src/edge/signature.ts'

const SECRET = 'a secret'
const id = 'key_0123456789ABCDEFGHJKMNPQRS'
const principal = {
  kind: 'token',
  id: 'tok_1',
  name: 'Zoë 🐭',
  tenant: 'acme',
  sessionId: 'ses_0123456789ABCDEFGHJKMNPQRS',
  access: 'write',
  epoch: 3,
  expiresAt: 2_000,
} as const

describe('keys', () => {
  it('[SEC6] a key verifies from the secret alone, and says its tenant and scope', async () => {
    for (const scope of ['member', 'admin', 'operator'] as const) {
      const key = await makeKey(SECRET, { id, tenant: 'a-1', scope })
      expect(key).toMatch(/^dk_a-1_[0-9A-Z]{26}_[\w-]{43}$/)
      expect(await verifyKey(SECRET, key)).toEqual({ kind: 'key', id, tenant: 'a-1', scope })
    }
  })

  it('[SEC6] a key with any one character changed, or another secret, is not ours', async () => {
    const key = await makeKey(SECRET, { id, tenant: 'acme', scope: 'member' })
    for (let place = 0; place < key.length; place++) {
      const forged = key.slice(0, place) + (key[place] === 'A' ? 'B' : 'A') + key.slice(place + 1)
      expect(await verifyKey(SECRET, forged), forged).toBeNull()
    }
    expect(await verifyKey('another secret', key)).toBeNull()
    expect(await verifyKey('', key)).toBeNull()
    for (const shape of ['', 'dk_', 'dk_acme', `${key}_`, `${key}A`, ` ${key}`]) expect(await verifyKey(SECRET, shape), shape).toBeNull()
  })

  it('[SEC6] no secret, no keys: an unset secret is not the empty secret', async () => {
    await expect(makeKey('', { id, tenant: 'acme', scope: 'member' })).rejects.toThrow('DORMOUSE_SECRET')
  })
})

describe('session tokens', () => {
  it('[SEC6] a token carries who it is for, until it expires', async () => {
    const token = await makeSessionToken(SECRET, principal)
    expect(token).toMatch(/^dt_[\w-]+\.[\w-]{43}$/)
    expect(await verifySessionToken(SECRET, token, 1_999)).toEqual({ ok: true, value: principal })
    expect(await verifySessionToken(SECRET, token, 2_000)).toMatchObject({ ok: false, error: { code: 'unauthorized' } })
  })

  it('[SEC6] a token with any one character changed is refused', async () => {
    const token = await makeSessionToken(SECRET, principal)
    for (let place = 0; place < token.length; place++) {
      const forged = token.slice(0, place) + (token[place] === 'A' ? 'B' : 'A') + token.slice(place + 1)
      expect((await verifySessionToken(SECRET, forged, 0)).ok, forged).toBe(false)
    }
  })

  it('[SEC6] a signature of a key is no signature of a token', async () => {
    const encoded = encodeBase64url(new TextEncoder().encode(JSON.stringify({ ...principal, access: 'approve' })))
    const key = await makeKey(SECRET, { id, tenant: 'acme', scope: 'operator' })
    expect((await verifySessionToken(SECRET, `dt_${encoded}.${key.split('_').at(-1)}`, 0)).ok).toBe(false)
  })

  it('[SEC4] whatever is sent as a token is refused, never thrown at', async () => {
    const anything = fc.string({ unit: 'binary' }).map((text) => `dt_${text}`)
    await fc.assert(fc.asyncProperty(anything, async (token) => !(await verifySessionToken(SECRET, token, 0)).ok))
  })
})

describe('base64url', () => {
  it('[SEC6] has one spelling for every value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        expect(decodeBase64url(encodeBase64url(bytes))).toEqual(new Uint8Array(bytes))
      }),
    )
    // The last character of two holds two bits too many: only zeros are right.
    expect(decodeBase64url('AA')).toEqual(new Uint8Array([0]))
    for (const other of ['AB', 'AA=', 'A', '', 'A+', 'A/']) expect(decodeBase64url(other), other).toBeNull()
  })

  it('[SEC6] secrets are the same only when every character is', async () => {
    expect(await isSameSecret('abc', 'abc')).toBe(true)
    for (const other of ['', 'ab', 'abd', 'abcd', 'ABC']) expect(await isSameSecret('abc', other), other).toBe(false)
  })
})
