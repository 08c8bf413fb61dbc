import { describe, expect, it } from 'vitest'
import { call, callJson, keyOf, newKeyId, type ProblemJson } from './edge-client.ts'

interface NewKey {
  id: string
  key: string
  name: string
  scope: string
  tenant: string
}

async function makeKey(body: unknown, options: { credential?: string; headers?: Record<string, string> } = {}) {
  return callJson<NewKey>('POST', '/v1/keys', { body, ...options })
}

describe('keys over HTTP', () => {
  it('[SEC6] a key is shown once, works at once, is listed without itself, and ends when revoked', async () => {
    const { response, json } = await makeKey({ name: 'ci', tenant: 'keys-a', scope: 'admin' })
    expect(response.status).toBe(201)
    expect(json).toMatchObject({ name: 'ci', scope: 'admin', tenant: 'keys-a', key: expect.stringMatching(/^dk_keys-a_/) })
    const asKey = { credential: json.key }
    expect((await call('GET', '/v1/sessions', asKey)).status).toBe(200)
    const listed = await callJson<{ items: NewKey[] }>('GET', '/v1/keys', asKey)
    expect(listed.json.items).toMatchObject([{ id: json.id, name: 'ci', revokedAt: null }])
    expect(JSON.stringify(listed.json)).not.toContain(json.key)
    expect((await call('DELETE', `/v1/keys/${json.id}`, asKey)).status).toBe(204)
    expect((await call('GET', '/v1/sessions', asKey)).status).toBe(401)
    expect((await call('DELETE', `/v1/keys/${json.id}`)).status).toBe(204)
  })

  it('[TRN6] a repeat with a key gives the same key; another command with it is a conflict', async () => {
    const headers = { 'idempotency-key': `make ${crypto.randomUUID()}` }
    const first = await makeKey({ name: 'a', tenant: 'keys-b' }, { headers })
    const again = await makeKey({ name: 'a', tenant: 'keys-b' }, { headers })
    expect(again.json).toEqual(first.json)
    expect(again.response.headers.get('idempotent-replayed')).toBe('true')
    for (const body of [
      { name: 'b', tenant: 'keys-b' },
      { name: 'a', tenant: 'keys-b', scope: 'admin' },
      { name: 'a', tenant: 'keys-c' },
    ]) {
      const { response } = await makeKey(body, { headers })
      expect(response.status, JSON.stringify(body)).toBe(409)
    }
  })

  it('[SEC1] an admin neither sees nor revokes the keys of another tenant', async () => {
    const { json } = await makeKey({ name: 'theirs', tenant: 'keys-d' })
    const credential = await keyOf('admin', 'keys-e')
    const listed = await callJson<{ items: NewKey[] }>('GET', '/v1/keys', { credential })
    expect(listed.json.items).toEqual([])
    const { response, json: problem } = await callJson<ProblemJson>('DELETE', `/v1/keys/${json.id}`, { credential })
    expect([response.status, problem.code]).toEqual([404, 'not_found'])
    expect((await call('GET', '/v1/sessions', { credential: json.key })).status).toBe(200)
  })

  it('[SEC3] bad keys are refused', async () => {
    for (const body of [
      {},
      { name: '' },
      { name: 'x'.repeat(101) },
      { name: 'a', scope: 'root' },
      { name: 'a', tenant: 'A_b' },
      { name: 'a', key: 'mine' },
    ]) {
      expect((await makeKey(body)).response.status, JSON.stringify(body)).toBe(400)
    }
    expect((await call('DELETE', '/v1/keys/key_x')).status).toBe(400)
    expect((await call('DELETE', `/v1/keys/${newKeyId()}`)).status).toBe(404)
  })
})
