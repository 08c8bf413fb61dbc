import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/edge/app.ts'
import type { Route } from '../../src/edge/route.ts'
import { routesOf } from '../../src/edge/route-table.ts'
import {
  call,
  callJson,
  createSession,
  keyOf,
  newKeyId,
  newSessionId,
  readSession,
  requestOf,
  tokenOf,
  type ProblemJson,
} from './edge-client.ts'
import { wiring } from './test-wiring.ts'

/** Who may do what, as the API contract's table says it; on purpose not taken from the program. */
const allowedFrom: Record<string, string[]> = {
  'GET /v1/sessions/:id': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/turns': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/turns/:turnId': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/events': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/messages': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/approvals': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/search': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/export': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/socket': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'GET /parties/session/:id': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'POST /v1/sessions/:id/turns': ['write', 'approve', 'member', 'admin', 'operator'],
  'POST /v1/sessions/:id/turns/:turnId/cancel': ['write', 'approve', 'member', 'admin', 'operator'],
  'GET /v1/sessions/:id/outputs/:ref': ['read', 'write', 'approve', 'member', 'admin', 'operator'],
  'POST /v1/sessions/:id/approvals/:approvalId': ['approve', 'member', 'admin', 'operator'],
  'PATCH /v1/sessions/:id': ['write', 'approve', 'member', 'admin', 'operator'],
  'POST /v1/sessions': ['member', 'admin', 'operator'],
  'GET /v1/sessions': ['member', 'admin', 'operator'],
  'DELETE /v1/sessions/:id': ['member', 'admin', 'operator'],
  'POST /v1/sessions/:id/tokens': ['member', 'admin', 'operator'],
  'DELETE /v1/sessions/:id/tokens': ['member', 'admin', 'operator'],
  'GET /v1/sessions/:id/context': ['member', 'admin', 'operator'],
  'GET /v1/agents': ['member', 'admin', 'operator'],
  'GET /v1/agents/:name': ['member', 'admin', 'operator'],
  'GET /v1/models': ['member', 'admin', 'operator'],
  'POST /v1/agents': ['admin', 'operator'],
  'PATCH /v1/agents/:name': ['admin', 'operator'],
  'DELETE /v1/agents/:name': ['admin', 'operator'],
  'GET /v1/metrics': ['admin', 'operator'],
  'POST /v1/keys': ['admin', 'operator'],
  'GET /v1/keys': ['admin', 'operator'],
  'DELETE /v1/keys/:keyId': ['admin', 'operator'],
  'GET /': ['nobody'],
  'GET /healthz': ['nobody'],
  'GET /openapi.json': ['nobody'],
  'GET /docs': ['nobody'],
}

const bodies: Record<string, unknown> = {
  'POST /v1/sessions': {},
  'PATCH /v1/sessions/:id': { title: 'a title' },
  'POST /v1/sessions/:id/turns': { input: 'hello' },
  'POST /v1/sessions/:id/turns/:turnId/cancel': {},
  'POST /v1/sessions/:id/tokens': { access: 'read', expiresInSeconds: 60 },
  'POST /v1/sessions/:id/approvals/:approvalId': { decision: 'deny' },
  'POST /v1/agents': { name: 'demo' },
  'PATCH /v1/agents/:name': { description: 'changed' },
  'POST /v1/keys': { name: 'a key' },
}

const TURN_ID = 'trn_00000000020123456789ABCDEF'
const APPROVAL_ID = 'apr_00000000040123456789ABCDEF'
const OUTPUT_REF = 'out_00000050010123456789ABCDEF'
const nameOf = ({ method, path }: Route) => `${method.toUpperCase()} ${path}`

/** Asks for a session that is not there: whoever is let in learns that, and nothing changes. */
function ask(route: Route, sessionId: string, credential: string | null): Promise<Response> {
  const named: Record<string, string> = {
    id: sessionId,
    turnId: TURN_ID,
    approvalId: APPROVAL_ID,
    ref: OUTPUT_REF,
    keyId: newKeyId(),
    name: 'none',
  }
  const path = route.path.replaceAll(/:(\w+)/g, (_, name: string) => named[name] ?? '')
  const body = bodies[nameOf(route)]
  return call(route.method.toUpperCase(), `${path}${path.endsWith('/search') ? '?q=word' : ''}`, { credential, body })
}

async function credentialsFor(sessionId: string): Promise<[string, string][]> {
  return [
    ['read', await tokenOf({ sessionId, access: 'read' })],
    ['write', await tokenOf({ sessionId, access: 'write' })],
    ['approve', await tokenOf({ sessionId, access: 'approve' })],
    ['member', await keyOf('member')],
    ['admin', await keyOf('admin')],
    ['operator', await keyOf('operator')],
  ]
}

describe('who may do what', () => {
  const routes = routesOf(wiring)

  it('[SEC2] the table of routes and the table of this test name the same calls', () => {
    expect(routes.map(nameOf).sort()).toEqual(Object.keys(allowedFrom).sort())
  })

  for (const route of routes.filter(({ verb }) => verb !== null)) {
    it(`[SEC2] ${nameOf(route)} answers exactly those who may`, async () => {
      const sessionId = newSessionId()
      for (const [level, credential] of await credentialsFor(sessionId)) {
        const response = await ask(route, sessionId, credential)
        const isAllowed = allowedFrom[nameOf(route)]?.includes(level)
        if (isAllowed) expect([200, 201, 204, 400, 404], level).toContain(response.status)
        else expect(((await response.json()) as ProblemJson).code, level).toBe('forbidden')
      }
    })

    it(`[SEC2] ${nameOf(route)} knows nobody without good credentials`, async () => {
      const sessionId = newSessionId()
      const bad = [
        null,
        'nonsense',
        '',
        'dk_default_0123456789ABCDEFGHJKMNPQRS_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
        await tokenOf({ sessionId, access: 'approve', expiresAt: Date.now() - 1 }),
        await tokenOf({ sessionId, access: 'approve', secret: 'another secret' }),
      ]
      for (const credential of bad) {
        const response = await ask(route, sessionId, credential)
        expect(response.status, String(credential)).toBe(401)
        expect(response.headers.get('www-authenticate')).toBe('Bearer')
        expect(((await response.json()) as ProblemJson).code).toBe('unauthorized')
      }
    })

    it(`[SEC2] ${nameOf(route)} refuses a token of another session`, async () => {
      const token = await tokenOf({ sessionId: newSessionId(), access: 'approve' })
      expect((await ask(route, newSessionId(), token)).status).toBe(403)
    })
  }

  it('[SEC2] a write token may change the title, and may not configure', async () => {
    const { id, head } = await createSession()
    const credential = await tokenOf({ sessionId: id, access: 'write' })
    for (const body of [
      { agent: 'demo' },
      { model: 'm' },
      { instructions: 'x' },
      { archived: true },
      { settings: {} },
      { title: 'x', archived: false },
    ]) {
      const { response, json } = await callJson<ProblemJson>('PATCH', `/v1/sessions/${id}`, { credential, body })
      expect([response.status, json.code], JSON.stringify(body)).toEqual([403, 'forbidden'])
    }
    expect((await readSession(id)).head).toBe(head)
    expect((await call('PATCH', `/v1/sessions/${id}`, { credential, body: { title: 'x', tags: ['t'], metadata: {} } })).status).toBe(200)
  })

  it('[SEC2] keys for other tenants and operator keys are made by operators only', async () => {
    const admin = await keyOf('admin', 'acme')
    for (const body of [
      { name: 'k', tenant: 'other' },
      { name: 'k', scope: 'operator' },
    ]) {
      expect((await call('POST', '/v1/keys', { credential: admin, body })).status).toBe(403)
      expect((await call('POST', '/v1/keys', { credential: await keyOf('operator', 'acme'), body })).status).toBe(201)
    }
    expect((await call('GET', '/v1/keys?tenant=other', { credential: admin })).status).toBe(403)
    expect((await call('GET', '/v1/keys?tenant=acme', { credential: admin })).status).toBe(200)
  })

  it('[SEC1] a session of another tenant is not there, whatever the key', async () => {
    const { id, head } = await createSession({ title: 'ours' })
    const credential = await keyOf('operator', 'other')
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { title: 'theirs' }],
      ['DELETE', '', undefined],
      ['POST', '/turns', { input: 'x' }],
      ['POST', '/tokens', { access: 'read', expiresInSeconds: 60 }],
      ['GET', '/events', undefined],
      ['GET', '/export', undefined],
    ] as const) {
      const { response, json } = await callJson<ProblemJson>(method, `/v1/sessions/${id}${path}`, { credential, body })
      expect([response.status, json.code], `${method} ${path}`).toEqual([404, 'not_found'])
    }
    expect(await readSession(id)).toMatchObject({ head, title: 'ours' })
  })

  it('[SEC4] a token in the address is no credential', async () => {
    const { id } = await createSession()
    const token = await tokenOf({ sessionId: id, access: 'read' })
    for (const name of ['token', 'access_token', 'key', 'authorization']) {
      expect((await call('GET', `/v1/sessions/${id}?${name}=${token}`, { credential: null })).status).toBe(401)
    }
  })

  it('[SEC2] an unset operator key lets nobody in', async () => {
    const app = createApp(wiring)
    const unset = { ...env, DORMOUSE_API_KEY: '', DORMOUSE_SECRET: '' }
    for (const credential of ['', ' ', 'undefined', await keyOf('operator')]) {
      expect((await app.fetch(requestOf('GET', '/v1/agents', { credential }), unset)).status, credential).toBe(401)
    }
  })

  it('[SEC5] rate limits count by address before credentials, and are off unless asked for', async () => {
    const app = createApp(wiring)
    const limited = { ...env, DORMOUSE_RATE_LIMITS: 'on' }
    const headers = { 'cf-connecting-ip': '192.0.2.7' }
    const knock = () => app.fetch(requestOf('POST', '/v1/keys', { credential: null, headers }), limited)
    // The period is fixed to the clock, so a run of requests may lie in two of them: at most twice the limit passes.
    let last = await knock()
    let passed = 0
    for (; last.status === 401 && passed < 1300; passed++) last = await knock()
    expect(passed).toBeGreaterThanOrEqual(600)
    expect([last.status, last.headers.get('retry-after'), ((await last.json()) as ProblemJson).code]).toEqual([429, '60', 'rate_limited'])
    expect((await app.fetch(requestOf('POST', '/v1/keys', { credential: null, headers }), env)).status).toBe(401)
  })
})
