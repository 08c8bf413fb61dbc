import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/edge/app.ts'
import { routesOf } from '../../src/edge/route-table.ts'
import { docsPage } from '../../src/edge/docs-page.ts'
import { verbLevels, type Level } from '../../src/protocol/access.ts'
import { errorTable } from '../../src/protocol/errors.ts'
import { EventSchema } from '../../src/protocol/event.ts'
import { ClientFrameSchema, closeCodes } from '../../src/protocol/frame.ts'
import { call, callJson, createSession, requestOf, tokenOf, type ProblemJson } from './edge-client.ts'
import { wiring } from './test-wiring.ts'

type Json = Record<string, unknown>

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
      ...wiring,
      builtInAgents: () => {
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

/** What a caller reads of each level; on purpose not taken from the program. */
const accessWords: Record<Level, string> = {
  read: 'Needs read access: any token of this session, or any API key.',
  write: 'Needs write access: a token of this session that may',
  approve: 'Needs approve access',
  member: 'Needs an API key; session tokens are refused.',
  admin: 'Needs an API key of scope `admin` or `operator`.',
  operator: 'Needs an API key of scope `operator`.',
}

async function readDocs(): Promise<{ headers: Headers; html: string }> {
  const response = await call('GET', '/docs', { credential: null })
  return { headers: response.headers, html: await response.text() }
}

function sectionOf(html: string, id: string): string {
  return new RegExp(`<section id="${id}">([^]*?)</section>`).exec(html)?.[1] ?? ''
}

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

  it('[SEC2] the OpenAPI document says of every call who may make it, and of every parameter and field what it means', async () => {
    const { json } = await callJson<{ tags: Json[]; paths: Record<string, Record<string, Json>>; components: Json }>(
      'GET',
      '/openapi.json',
      {
        credential: null,
      },
    )
    const groups = json.tags.map(({ name }) => name)
    for (const { method, path, verb } of routesOf(wiring)) {
      const operation = json.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method] ?? {}
      expect(operation['description'], path).toContain(verb === null ? 'Open to everyone' : accessWords[verbLevels[verb]])
      const [group, ...others] = operation['tags'] as string[]
      expect([groups.includes(group), others], path).toEqual([true, []])
      for (const parameter of operation['parameters'] as Json[])
        expect(parameter['description'], `${path} ${String(parameter['name'])}`).toBeTruthy()
    }
    for (const [name, schema] of Object.entries(json.components['schemas'] as Record<string, Json>)) {
      const alternatives = (schema['oneOf'] as Json[] | undefined) ?? [schema]
      for (const each of alternatives) {
        expect(each['description'], name).toBeTruthy()
        for (const [field, value] of Object.entries(each['properties'] as Record<string, Json>))
          expect(field === 'type' || value['$ref'] || value['description'], `${name}.${field}`).toBeTruthy()
      }
    }
    expect(JSON.stringify(json)).toContain('It must be 64 KiB of JSON at most.')
  })

  it('[SEC4] the page for people needs no script and no network, and is allowed nothing but its own style', async () => {
    const root = await call('GET', '/', { credential: null })
    expect([root.status, root.headers.get('location')]).toEqual([302, '/docs'])
    const { headers, html } = await readDocs()
    expect(headers.get('content-type')).toContain('text/html')
    expect(html).not.toMatch(/<(script|link|img|iframe|object|embed|form|base)\b|@import|url\(| style=| on\w+=/)
    for (const [, address = ''] of html.matchAll(/(?:href|src)="([^"]*)"/g)) expect(address).toMatch(/^(#|\/openapi\.json$)/)
    const style = /<style>([^]*?)<\/style>/.exec(html)?.[1] ?? ''
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)))
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain(`default-src 'none'; style-src 'sha256-${btoa(String.fromCharCode(...hash))}';`)
    expect(policy).not.toContain('unsafe')
  })

  it('[SEC4] the page writes what a document says as text', async () => {
    const operation = {
      tags: ['Server'],
      summary: '<b>bold</b> `<i>code</i>`',
      operationId: '"><u>',
      responses: { 200: { description: '<s>' } },
    }
    const response = await docsPage({ paths: { '/<q>': { get: operation } }, components: { schemas: {} } })
    const html = await response.text()
    expect(html).not.toMatch(/<[biusq]>/)
    expect(html).toContain('<code>&#60;i&#62;code&#60;/i&#62;</code>')
  })

  it('[SEC2] the page holds every call, problem, event, frame and close code, and says who may', async () => {
    const { html } = await readDocs()
    for (const { path, verb } of routesOf(wiring)) {
      expect(html).toContain(`<code>${path.replace(/:(\w+)/g, '{$1}')}</code></a></h3>`)
      expect(html).not.toContain(`verb \`${verb}\``)
    }
    for (const code of Object.keys(errorTable)) expect(html).toContain(`<tr id="${code}">`)
    for (const { entries } of EventSchema.options) expect(html).toContain(`id="event-${entries.type.literal}"`)
    for (const option of ClientFrameSchema.options) expect(html).toContain(`type: &#34;${option.entries.type.literal}&#34;`)
    for (const type of ['hello', 'event', 'ready', 'delta', 'reply']) expect(html).toContain(`{ type: &#34;${type}&#34;`)
    for (const number of Object.values(closeCodes)) expect(html).toContain(`<th scope="row"><code>${number}</code></th>`)
    const submit = sectionOf(html, 'postSessionsByIdTurns')
    expect(submit).toContain(accessWords.write)
    expect(submit).toContain('<code>input</code> <small class="required">')
    expect(submit).toContain('list (up to 256) of <a href="#schema-InputPart">')
    expect(submit).toContain('{ turn: <a href="#schema-Turn">Turn</a>, seq: integer }')
    expect(sectionOf(html, 'getSessions')).toContain('integer 1–200, default <code>50</code>')
    expect(sectionOf(html, 'patchSessionsById')).toContain('needs an API key')
  })

  it('[SEC2] the page can be walked by link, by heading and by table', async () => {
    const { html } = await readDocs()
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id)
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([])
    const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id = '']) => id)
    expect(targets.filter((id) => !ids.includes(id))).toEqual([])
    expect(targets.length).toBeGreaterThan(100)
    const levels = [...html.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level))
    expect(levels.filter((level) => level === 1)).toHaveLength(1)
    for (const [place, level] of levels.entries()) expect(level).toBeLessThanOrEqual((levels[place - 1] ?? 0) + 1)
    for (const landmark of ['main', 'nav', 'header']) expect(html.match(new RegExp(`<${landmark}\\b`, 'g'))).toHaveLength(1)
    expect(html.match(/<caption>/g)).toHaveLength(html.match(/<table\b/g)?.length ?? 0)
    expect(html.replace(/<(style|pre)>[^]*?<\/\1>/g, '')).not.toMatch(/`|\[object|undefined/)
  })

  it('[SEC2] agents and models are listed', async () => {
    const { json } = await callJson<{ items: Json[] }>('GET', '/v1/agents')
    expect(json.items).toContainEqual(expect.objectContaining({ name: 'demo', default: true, window: 32_000 }))
    const { json: models } = await callJson<{ items: Json[]; providers: Json[] }>('GET', '/v1/models')
    expect(models.items).toEqual([])
    expect(models.providers).toMatchObject(
      ['openai', 'anthropic', 'workers-ai'].map((id) => ({ id, status: 'not_configured', error: null })),
    )
    expect((await callJson('GET', '/healthz', { credential: null })).json).toEqual({ status: 'ok' })
  })
})
