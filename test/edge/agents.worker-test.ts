import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/edge/app.ts'
import { agentDefinitionsOf } from '../../src/session-index/agent-definitions.ts'
import { call, callJson, keyOf, requestOf, type CallOptions, type ProblemJson } from './edge-client.ts'
import { wiring } from './test-wiring.ts'

interface AgentJson {
  name: string
  version: number | null
  builtIn: boolean
  default: boolean
  instructions?: string
  description: string
  model: string | null
  window: number
  tools?: (string | { name: string; secret?: string })[]
  mcpServers?: { name: string; headers?: Record<string, string> }[]
  createdAt: number | null
  updatedAt: number | null
}

const httpTool = (name: string, more: object = {}) => ({
  type: 'http',
  name,
  description: 'Looks things up.',
  url: 'https://tools.example.com/call',
  inputSchema: { type: 'object', properties: { q: { type: 'string' } } },
  ...more,
})

/** A tenant of its own for each test, so that lists are whole. */
async function asAdmin(tenant: string) {
  const credential = await keyOf('admin', tenant)
  const send = (method: string, path: string, options: CallOptions = {}) =>
    callJson<AgentJson & ProblemJson>(method, `/v1/agents${path}`, { credential, ...options })
  return {
    send,
    create: (body: unknown, headers: Record<string, string> = {}) => send('POST', '', { body, headers }),
    read: async (name: string) => (await send('GET', `/${name}`)).json,
    patch: (name: string, body: unknown, headers: Record<string, string> = {}) => send('PATCH', `/${name}`, { body, headers }),
    remove: (name: string) => call('DELETE', `/v1/agents/${name}`, { credential }),
    /** As a session of the tenant gets it. */
    definition: async (name: string) => (await agentDefinitionsOf(env).read(tenant, name, null))?.definition,
  }
}

describe('an agent over HTTP', () => {
  it('[AGT1] is made, read, changed and deleted, and each change counts its version', async () => {
    const { create, read, patch, remove, send } = await asAdmin('agents-life')
    const { response, json } = await create({ name: 'helper', instructions: 'Help.', model: 'openai/gpt-5-mini', tools: ['notes'] })
    expect([response.status, response.headers.get('location'), response.headers.get('etag')]).toEqual([201, '/v1/agents/helper', '"1"'])
    expect(json).toMatchObject({ name: 'helper', version: 1, builtIn: false, default: false, description: '', window: expect.any(Number) })
    expect(await read('helper')).toEqual(json)
    const changed = await patch('helper', { instructions: null, window: 9000, tools: ['calculate'] })
    expect([changed.response.status, changed.response.headers.get('etag')]).toEqual([200, '"2"'])
    expect(changed.json).toMatchObject({ version: 2, window: 9000, tools: ['calculate'], model: 'openai/gpt-5-mini' })
    expect(changed.json).not.toHaveProperty('instructions')
    expect(changed.json.createdAt).toBe(json.createdAt)
    expect(await read('helper')).toEqual(changed.json)
    expect((await remove('helper')).status).toBe(204)
    for (const { response: gone } of [await send('GET', '/helper'), await patch('helper', { description: 'x' })])
      expect(gone.status).toBe(404)
    expect((await remove('helper')).status).toBe(404)
    expect((await create({ name: 'helper' })).json.version).toBe(3)
  })

  it('[AGT1] a change that changes nothing makes no version', async () => {
    const { create, patch } = await asAdmin('agents-same')
    await create({ name: 'a', instructions: 'Help.', tools: [httpTool('crm')], budgets: { steps: 3, tokens: 9 } })
    for (const body of [
      {},
      { instructions: 'Help.' },
      { model: null },
      { budgets: { tokens: 9, steps: 3 } },
      { tools: [httpTool('crm', { secret: '***' })] },
    ]) {
      expect((await patch('a', body)).json.version, JSON.stringify(body)).toBe(1)
    }
    expect((await patch('a', { instructions: 'Help!' })).json.version).toBe(2)
  })

  it('[LOG1] If-Match and If-None-Match mean its version', async () => {
    const { create, patch, send } = await asAdmin('agents-match')
    await create({ name: 'a' })
    await patch('a', { description: 'second' }, { 'if-match': '"1"' })
    const late = await patch('a', { description: 'late' }, { 'if-match': '"1"' })
    expect([late.response.status, late.json.code]).toEqual([412, 'precondition_failed'])
    const unchanged = await call('GET', '/v1/agents/a', {
      credential: await keyOf('member', 'agents-match'),
      headers: { 'if-none-match': '"2"' },
    })
    expect([unchanged.status, await unchanged.text()]).toEqual([304, ''])
    expect((await send('GET', '/a', { headers: { 'if-none-match': '"1"' } })).json.description).toBe('second')
  })

  it('[AGT1] changes at the same time are all made, one after the other', async () => {
    const { create, patch, read } = await asAdmin('agents-race')
    await create({ name: 'a' })
    const changes = [{ description: 'd' }, { instructions: 'i' }, { window: 5000 }]
    const statuses = await Promise.all(changes.map(async (body) => (await patch('a', body)).response.status))
    expect(statuses).toEqual([200, 200, 200])
    expect(await read('a')).toMatchObject({ version: 4, description: 'd', instructions: 'i', window: 5000 })
  })

  it('[AGT1] a session’s side sees a change at once where it was made', async () => {
    const { create, patch, remove, definition } = await asAdmin('agents-fresh')
    expect(await definition('a')).toBeUndefined()
    await create({ name: 'a', instructions: 'one' })
    const first = await definition('a')
    expect(first).toEqual({ instructions: 'one' })
    expect(await definition('a')).toBe(first)
    await patch('a', { instructions: 'two' })
    expect(await definition('a')).toEqual({ instructions: 'two' })
    await remove('a')
    expect(await definition('a')).toBeUndefined()
  })
})

describe('secrets of an agent', () => {
  it('[SEC4] are shown once if the server made them, never again, and never if a client gave them', async () => {
    const { create, read, send, patch, definition } = await asAdmin('agents-secrets')
    const given = `whsec_${'A'.repeat(32)}`
    const headers = { Authorization: 'Bearer of-the-server' }
    const { json } = await create({
      name: 'a',
      tools: [httpTool('made'), httpTool('given', { secret: given })],
      mcpServers: [{ name: 'docs', url: 'https://docs.example.com/mcp', headers }],
    })
    const [made] = json.tools ?? []
    const secret = typeof made === 'object' ? (made.secret ?? '') : ''
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(json.tools?.[1]).toMatchObject({ secret: '***' })
    expect(json.mcpServers?.[0]?.headers).toEqual({ Authorization: '***' })
    const later = [await read('a'), (await send('GET', '')).json, (await patch('a', { description: 'x' })).json]
    for (const text of [JSON.stringify(later), await everythingStored()]) {
      for (const hidden of [secret, secret.slice(6), given, 'of-the-server']) expect(text).not.toContain(hidden)
    }
    expect(await definition('a')).toMatchObject({ tools: [{ secret }, { secret: given }], mcpServers: [{ headers }] })
  })

  it('[AGT1] `***` keeps a secret, another value replaces it, and leaving it out makes a new one', async () => {
    const { create, patch, definition } = await asAdmin('agents-keep')
    const secretOf = async (place: number) => {
      const tool = (await definition('a'))?.tools?.[place]
      return typeof tool === 'object' ? tool.secret : null
    }
    await create({ name: 'a', tools: [httpTool('one'), httpTool('two')] })
    const two = await secretOf(1)
    await patch('a', { tools: [httpTool('two', { secret: '***', description: 'changed' })] })
    expect(await secretOf(0)).toBe(two)
    const given = `whsec_${'B'.repeat(32)}`
    await patch('a', { tools: [httpTool('two', { secret: given })] })
    expect(await secretOf(0)).toBe(given)
    const { json } = await patch('a', { tools: [httpTool('two')] })
    expect(json.tools).toEqual([expect.objectContaining({ secret: await secretOf(0) })])
    expect(await secretOf(0)).not.toBe(given)
    for (const [body, path] of [
      [{ tools: [httpTool('other', { secret: '***' })] }, 'tools.0.secret'],
      [{ mcpServers: [{ name: 'm', url: 'https://m.example.com/', headers: { A: '***' } }] }, 'mcpServers.0.headers.A'],
    ] as const) {
      const refused = await patch('a', body)
      expect([refused.response.status, refused.json.code, refused.json.issues?.[0]?.path]).toEqual([400, 'invalid_request', path])
    }
  })

  it('[SEC4] when DORMOUSE_SECRET was replaced, other fields can be changed, and secrets must be sent again', async () => {
    const app = createApp({ ...wiring, providers: ['openai'] })
    const renewed = { ...env, DORMOUSE_SECRET: 'a new secret of the tests' }
    const { create } = await asAdmin('default')
    await create({ name: 'renewed', tools: [httpTool('crm')] })
    const patch = async (body: unknown) => {
      const response = await app.fetch(requestOf('PATCH', '/v1/agents/renewed', { body }), renewed)
      return { status: response.status, json: (await response.json()) as AgentJson & ProblemJson }
    }
    expect(await patch({ description: 'still works' })).toMatchObject({ status: 200, json: { tools: [{ secret: '***' }] } })
    const refused = await patch({ tools: [httpTool('crm', { secret: '***' })] })
    expect(refused).toMatchObject({
      status: 400,
      json: { issues: [{ path: 'tools.0.secret', message: expect.stringContaining('DORMOUSE_SECRET') }] },
    })
    expect(await patch({ tools: [httpTool('crm')] })).toMatchObject({
      status: 200,
      json: { tools: [{ secret: expect.stringMatching(/^whsec_/) }] },
    })
    const read = await agentDefinitionsOf(renewed).read('default', 'renewed', 2)
    expect(read?.definition.tools?.[0]).not.toHaveProperty('secret')
  })
})

/** Every row of the tables that a definition could have reached. */
async function everythingStored(): Promise<string> {
  const tables = ['agents', 'agent_versions', 'sessions', 'usage_days']
  const rows = await env.INDEX.batch(tables.map((table) => env.INDEX.prepare(`select * from ${table}`)))
  return JSON.stringify(rows.map(({ results }) => results))
}

describe('the list of agents', () => {
  it('[AGT1] has the default first, then the tenant’s own by name, page by page', async () => {
    const { create, send } = await asAdmin('agents-list')
    for (const name of ['zoe', 'ada', 'kim']) await create({ name, instructions: name })
    const names: string[] = []
    for (let next: string | null = ''; next !== null;) {
      const { json }: { json: unknown } = await send('GET', `?limit=1${next === '' ? '' : `&cursor=${next}`}`)
      const page = json as { items: AgentJson[]; next: string | null }
      expect(page.items.length).toBeLessThanOrEqual(1)
      names.push(...page.items.map(({ name }) => name))
      next = page.next
    }
    expect(names).toEqual(['demo', 'ada', 'kim', 'zoe'])
    const { json } = await callJson<{ items: AgentJson[]; next: null }>('GET', '/v1/agents', {
      credential: await keyOf('member', 'agents-list'),
    })
    expect(json.items.map(({ name, builtIn, default: isDefault }) => [name, builtIn, isDefault])).toEqual([
      ['demo', true, true],
      ['ada', false, false],
      ['kim', false, false],
      ['zoe', false, false],
    ])
    expect(json.next).toBeNull()
    const other = await callJson<{ items: AgentJson[] }>('GET', '/v1/agents', { credential: await keyOf('member', 'agents-list-2') })
    expect(other.json.items.map(({ name }) => name)).toEqual(['demo'])
    expect((await send('GET', '?cursor=nonsense')).json.code).toBe('invalid_request')
  })

  it('[SEC1] an agent of another tenant is not there', async () => {
    const { create } = await asAdmin('agents-ours')
    await create({ name: 'ours' })
    const theirs = await asAdmin('agents-theirs')
    expect((await theirs.send('GET', '/ours')).json.code).toBe('not_found')
    expect((await theirs.patch('ours', { description: 'x' })).json.code).toBe('not_found')
    expect((await theirs.remove('ours')).status).toBe(404)
    expect((await theirs.create({ name: 'ours' })).json.version).toBe(1)
  })
})

describe('making an agent again', () => {
  it('[TRN6] a repeat with a key meets the agent it made, with the secrets that were made then', async () => {
    const { create, patch, remove } = await asAdmin('agents-again')
    const headers = { 'idempotency-key': 'make it once' }
    const body = { name: 'a', instructions: 'Help.', tools: [httpTool('crm')] }
    const first = await create(body, headers)
    const again = await create({ tools: body.tools, instructions: 'Help.', name: 'a' }, headers)
    expect([again.response.status, again.response.headers.get('idempotent-replayed'), again.response.headers.get('location')]).toEqual([
      201,
      'true',
      '/v1/agents/a',
    ])
    expect(again.json).toEqual(first.json)
    for (const other of [
      { ...body, instructions: 'Other.' },
      { ...body, name: 'b' },
    ]) {
      expect((await create(other, headers)).json.code).toBe('idempotency_conflict')
    }
    await patch('a', { instructions: 'Changed.' })
    const later = await create(body, headers)
    expect(later.json).toMatchObject({ version: 2, instructions: 'Changed.', tools: [{ secret: '***' }] })
    await remove('a')
    expect((await create(body, headers)).response.status).toBe(404)
  })

  it('[TRN6] a name that is taken stays whose it is', async () => {
    const { create, read } = await asAdmin('agents-taken')
    await create({ name: 'a', instructions: 'mine' }, { 'idempotency-key': '1' })
    for (const headers of [{}, { 'idempotency-key': '2' }]) {
      const { response, json } = await create({ name: 'a', instructions: 'theirs' }, headers)
      expect([response.status, json.code, json.issues?.[0]?.path]).toEqual([409, 'already_exists', 'name'])
    }
    expect(await read('a')).toMatchObject({ version: 1, instructions: 'mine' })
  })
})

describe('bad agents', () => {
  it('[AGT1] those that come with the server can be read, and neither changed nor made again', async () => {
    const { send, patch, remove, create, read } = await asAdmin('agents-built-in')
    expect(await read('demo')).toMatchObject({ name: 'demo', version: null, builtIn: true, default: true, window: 32_000 })
    for (const name of ['demo', 'assistant']) {
      expect((await patch(name, { description: 'x' })).json).toMatchObject({ code: 'invalid_request', issues: [{ path: 'name' }] })
      expect((await create({ name })).json.code).toBe('invalid_request')
      expect((await remove(name)).status).toBe(400)
    }
    expect((await send('GET', '/assistant')).json.code).toBe('not_found')
  })

  it('[SEC3] what cannot be used is refused by its path, and nothing is stored', async () => {
    const { create, patch, read } = await asAdmin('agents-bad')
    await create({ name: 'good' })
    const url = 'http://127.0.0.1/'
    const cases: [body: Record<string, unknown>, path: string][] = [
      [{ model: 'acme/one' }, 'model'],
      [{ model: 'gpt' }, 'model'],
      [{ tools: ['nothing_like_it'] }, 'tools.0'],
      [{ tools: ['notes', 'notes'] }, 'tools'],
      [{ tools: [httpTool('a', { url })] }, 'tools.0.url'],
      [{ tools: [httpTool('a', { inputSchema: { type: 'nonsense' } })] }, 'tools.0.inputSchema'],
      [{ tools: [httpTool('a', { secret: 'mine' })] }, 'tools.0.secret'],
      [{ mcpServers: [{ name: 'm', url }] }, 'mcpServers.0.url'],
      [{ mcpServers: [{ name: 'm', url: 'https://m.example.com/', headers: { 'a b': 'x' } }] }, 'mcpServers.0.headers.a b'],
      [{ instructions: 'x'.repeat(70_000) }, 'instructions'],
      [{ budgets: { steps: 0 } }, 'budgets.steps'],
      [{ version: 7 }, 'version'],
    ]
    for (const [body, path] of cases) {
      for (const { response, json } of [await create({ name: 'bad', ...body }), await patch('good', body)]) {
        expect([response.status, json.code, json.issues?.[0]?.path], JSON.stringify(body).slice(0, 99)).toEqual([
          400,
          'invalid_request',
          path,
        ])
      }
    }
    expect(await read('good')).toMatchObject({ version: 1 })
    expect((await read('bad')) as unknown).toMatchObject({ code: 'not_found' })
  })

  it('[SEC5] an agent has a bound, also one that grew by changes', async () => {
    const { create, patch } = await asAdmin('agents-grown')
    const schema = (length: number) => ({ type: 'object', description: 'x'.repeat(length) })
    const tools = ['a', 'b', 'c'].map((name) => httpTool(name, { inputSchema: schema(60_000) }))
    const made = await create({ name: 'a', tools })
    expect(made.response.status, JSON.stringify(made.json).slice(0, 300)).toBe(201)
    const servers = {
      mcpServers: [
        {
          name: 'm',
          url: 'https://m.example.com/',
          headers: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`H${i}`, 'x'.repeat(4000)])),
        },
      ],
    }
    const grown = await patch('a', { ...servers, instructions: 'x'.repeat(60_000) })
    expect([grown.response.status, grown.json.code]).toEqual([400, 'invalid_request'])
  })

  it('[SEC2] a malformed name is an id that is malformed', async () => {
    const { send } = await asAdmin('agents-names')
    for (const name of ['A', 'a.b', '-a', `a${'b'.repeat(64)}`, 'a%20b'])
      expect((await send('GET', `/${name}`)).json.code, name).toBe('invalid_id')
  })

  it('[AGT1] the database being down is no word about the agent', async () => {
    const { send } = await asAdmin('agents-down')
    await env.INDEX.prepare('alter table agents rename to agents_away').run()
    const { response, json } = await send('GET', '/any').finally(() => env.INDEX.prepare('alter table agents_away rename to agents').run())
    expect([response.status, json.code]).toEqual([500, 'internal'])
  })
})
