import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/edge/app.ts'
import { routesOf } from '../../src/edge/route-table.ts'
import { errorTable } from '../../src/protocol/errors.ts'
import { call, callJson, createSession, requestOf, tokenOf, type ProblemJson } from './edge-client.ts'

type Json = Record<string, unknown>

const wiring = { agents: () => [] }

describe('every answer', () => {
  it('[SEC4] has a request id of its own, is not cached, and not interpreted', async () => {
    const ids = new Set<string | null>()
    for (const [path, status] of [
      ['/healthz', 200],
      ['/v1/sessions', 200],
      ['/nothing', 404],
      ['/v1/sessions/x', 400],
    ] as const) {
      const response = await call('GET', path)
      expect(response.status).toBe(status)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
      ids.add(response.headers.get('dormouse-request-id'))
    }
    expect(ids.size).toBe(4)
    expect(ids.has(null)).toBe(false)
  })

  it('[SEC4] what breaks inside is told without its words, and logged without them', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const app = createApp({
      agents: () => {
        throw new Error('select secret from table')
      },
    })
    const response = await app.fetch(requestOf('GET', '/v1/agents'), env)
    const text = await response.text()
    expect([response.status, (JSON.parse(text) as ProblemJson).code]).toEqual([500, 'internal'])
    expect(text).not.toContain('secret')
    expect(text).toContain(response.headers.get('dormouse-request-id'))
    const logged = log.mock.calls.flat().join('\n')
    log.mockRestore()
    expect(JSON.parse(logged)).toMatchObject({ event: 'request.failed', error: 'Error', route: '/v1/agents', tenant: 'default' })
    expect(logged).not.toContain('secret')
  })

  it('[SEC4] is logged once, by its pattern: no query, no id, no token', async () => {
    const { id } = await createSession()
    const credential = await tokenOf({ sessionId: id, access: 'read' })
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    await call('GET', `/v1/sessions/${id}/search?q=private`, { credential })
    await call('GET', `/private/${credential}?token=${credential}`, { credential })
    const lines = log.mock.calls
      .flat()
      .map(String)
      .filter((line) => line.includes('"event":"request"'))
    log.mockRestore()
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ method: 'GET', status: 200, route: '/v1/sessions/:id/search', tenant: 'default' })
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ status: 404, route: 'none' })
    for (const secret of ['private', credential, id]) expect(lines.join('')).not.toContain(secret)
  })
})

describe('other origins', () => {
  const preflight = { origin: '', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
  const ask = (origin: string, configured: string) => {
    const app = createApp(wiring)
    const request = requestOf('OPTIONS', '/v1/sessions', { credential: null, headers: { ...preflight, origin } })
    return app.fetch(request, { ...env, DORMOUSE_CORS_ORIGINS: configured })
  }

  it('[SEC2] only pages of this machine by default, only the configured ones otherwise', async () => {
    const cases: [string, string, boolean][] = [
      ['http://localhost:5173', '', true],
      ['http://127.0.0.1', '', true],
      ['https://example.com', '', false],
      ['http://localhost.example.com', '', false],
      ['http://localhost:5173', 'https://example.com', false],
      ['https://example.com', ' https://other.dev , https://example.com', true],
      ['https://evil-example.com', 'https://example.com', false],
      ['https://anything.dev', '*', true],
    ]
    for (const [origin, configured, isAllowed] of cases) {
      const { headers } = await ask(origin, configured)
      expect(headers.get('access-control-allow-origin'), `${origin} with "${configured}"`).toBe(isAllowed ? origin : null)
    }
  })

  it('[SEC2] may send what the API needs and read what it answers, errors too', async () => {
    const allowed = (await ask('http://localhost:5173', '')).headers.get('access-control-allow-headers')?.toLowerCase()
    for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'last-event-id'])
      expect(allowed).toContain(name)
    const { headers } = await call('GET', '/v1/sessions/x', { headers: { origin: 'http://localhost:5173' } })
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
    const exposed = headers.get('access-control-expose-headers')?.toLowerCase()
    for (const name of ['dormouse-head', 'dormouse-request-id', 'etag', 'idempotent-replayed', 'location', 'retry-after'])
      expect(exposed).toContain(name)
  })
})

describe('the API’s own documents', () => {
  it('[SEC2] the OpenAPI document names every route, its security, its parameters and its problems', async () => {
    const { response, json } = await callJson<{ openapi: string; paths: Record<string, Record<string, Json>>; components: Json }>(
      'GET',
      '/openapi.json',
      { credential: null },
    )
    expect(response.status).toBe(200)
    expect(json.openapi).toBe('3.1.1')
    for (const { method, path, verb } of routesOf(wiring)) {
      const operation = json.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method]
      expect(operation, path).toBeDefined()
      expect(operation?.['security'], path).toEqual(verb === null ? [] : undefined)
      const parameters = (operation?.['parameters'] ?? []) as Json[]
      const named = parameters.filter((parameter) => parameter['in'] === 'path').map(({ name }) => `:${String(name)}`)
      expect(named, path).toEqual(path.match(/:\w+/g) ?? [])
      if (verb !== null) expect(operation?.['responses'], path).toHaveProperty('default')
    }
    const submit = json.paths['/v1/sessions/{id}/turns']?.['post']
    const text = JSON.stringify(submit)
    for (const word of ['whenBusy', 'enqueue', 'Idempotency-Key', '"maximum":60', '#/components/schemas/Turn']) expect(text).toContain(word)
    expect(submit?.['requestBody']).toMatchObject({ required: true })
    expect(json.paths['/v1/sessions']?.['post']?.['requestBody']).toMatchObject({ required: false })
    const whole = JSON.stringify(json)
    const refs = new Set([...whole.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name))
    expect(Object.keys(json.components['schemas'] as Json)).toEqual(expect.arrayContaining([...refs]))
    expect(whole).not.toContain('$defs')
    expect(refs.size).toBeGreaterThan(4)
  })

  it('[SEC4] the page for people needs no script and no network, and has a row for every problem', async () => {
    const root = await call('GET', '/', { credential: null })
    expect([root.status, root.headers.get('location')]).toEqual([302, '/docs'])
    const response = await call('GET', '/docs', { credential: null })
    expect(response.headers.get('content-type')).toContain('text/html')
    const html = await response.text()
    expect(html).not.toMatch(/<script|https?:\/\/|@import|<img/)
    for (const code of Object.keys(errorTable)) expect(html).toContain(`id="${code}"`)
    for (const { path } of routesOf(wiring)) expect(html).toContain(path.replace(/:(\w+)/g, '{$1}'))
  })

  it('[SEC2] agents and models are listed', async () => {
    const { json } = await callJson<{ items: Json[] }>('GET', '/v1/agents')
    expect(json.items).toContainEqual(expect.objectContaining({ name: 'demo', default: true, window: 32_000 }))
    expect((await callJson('GET', '/v1/models')).json).toEqual({ items: [], providers: [] })
    expect((await callJson('GET', '/healthz', { credential: null })).json).toEqual({ status: 'ok' })
  })
})
