import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { addressGuardOf, type AddressGuard } from '../../../src/agents/tools/address-guard.ts'
import { createHttpTool } from '../../../src/agents/tools/http-tool.ts'
import type { HttpTool } from '../../../src/protocol/agent.ts'
import { loopback, redirectTo, type Answer, type Loopback } from './loopback.ts'
import { callOf } from './tool-call.ts'

const secret = `whsec_${btoa('a secret of twenty-four!')}`
let server: Loopback
let guard: AddressGuard
let answer: Answer

beforeAll(async () => {
  server = await loopback((request, response) => answer(request, response))
  guard = addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: server.host })
})
afterAll(() => server.close())
afterEach(() => server.seen.splice(0))

function toolOf(more: Partial<HttpTool> = {}) {
  const inputSchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const definition: HttpTool = {
    type: 'http',
    name: 'weather',
    description: 'Tells it.',
    url: server.url('/hook?key=s3cret'),
    inputSchema,
    secret,
    ...more,
  }
  return createHttpTool(definition, { guard })
}

const json =
  (value: unknown): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value))
  }

describe('an HTTP tool', () => {
  it('[TOOL1] sends the call with its id, signed as Standard Webhooks say', async () => {
    answer = json({ sky: 'clear' })
    const now = Date.now()
    const input = { city: 'Zürich – 東京 🌍' }
    expect(await toolOf().run(input, callOf({ now: () => now }))).toEqual({ output: { sky: 'clear' } })
    const [request] = server.seen
    if (!request) throw new Error('Nothing came')
    const call = { type: 'tool.call', toolName: 'weather', toolCallId: 'call_1', sessionId: 'session_1', turnId: 'turn_1', input }
    expect(new Webhook(secret).verify(request.body, request.headers)).toEqual(call)
    expect(request).toMatchObject({ method: 'POST', path: '/hook?key=s3cret' })
    expect(request.headers).toMatchObject({ 'webhook-id': 'call_1', 'webhook-timestamp': String(Math.floor(now / 1000)) })
  })

  it('[TOOL1] a call that is run again comes under the same id', async () => {
    answer = json(null)
    await toolOf().run({ city: 'a' }, callOf())
    await toolOf().run({ city: 'a' }, callOf({ now: () => 1_700_000_900_000 }))
    expect(server.seen.map(({ headers }) => headers['webhook-id'])).toEqual(['call_1', 'call_1'])
    expect(server.seen[0]?.headers['webhook-signature']).not.toBe(server.seen[1]?.headers['webhook-signature'])
  })

  it('[TOOL1] another secret, body or id does not verify', async () => {
    answer = json(null)
    await toolOf().run({ city: 'a' }, callOf({ now: () => Date.now() }))
    const [request] = server.seen
    if (!request) throw new Error('Nothing came')
    const hook = new Webhook(secret)
    expect(() => hook.verify(`${request.body} `, request.headers)).toThrow()
    expect(() => hook.verify(request.body, { ...request.headers, 'webhook-id': 'call_2' })).toThrow()
    expect(() => new Webhook(`whsec_${btoa('another secret of the same')}`).verify(request.body, request.headers)).toThrow()
  })

  it.each([undefined, '***', 'whsec_!'])('[TOOL1] with the secret %s nothing is sent', async (none) => {
    answer = json(null)
    const { secret: _, ...rest } = { secret, type: 'http', name: 'a', description: '', url: server.url('/'), inputSchema: {} } as const
    const tool = createHttpTool({ ...rest, ...(none !== undefined && { secret: none }) }, { guard })
    await expect(tool.run({}, callOf())).rejects.toThrow('no secret to sign its calls with')
    expect(server.seen).toEqual([])
  })

  it('[TOOL4] follows no redirect, and says so', async () => {
    answer = (_request, response) => redirectTo(response, 'https://elsewhere.example/?x=1', 307)
    const run = toolOf().run({ city: 'a' }, callOf())
    await expect(run).rejects.toThrow(`${server.host} answered with a redirect (307), and redirects are not followed here.`)
    await expect(run).rejects.toHaveProperty('name', 'ToolError')
    expect(server.seen).toHaveLength(1)
  })

  it('[TOOL4] reaches no private address', async () => {
    await expect(toolOf({ url: 'https://192.168.0.1/?key=s3cret' }).run({ city: 'a' }, callOf())).rejects.toThrow(
      'Not allowed: 192.168.0.1 is not a public address.',
    )
  })

  it.each([
    ['application/json', '{"a":[1]}', { a: [1] }],
    ['application/problem+json', '"words"', 'words'],
    ['application/json', '{broken', '{broken'],
    ['application/json', '', ''],
    ['text/plain', '{"a":1}', '{"a":1}'],
    ['', 'words', 'words'],
  ])('[TOOL3] of type "%s", %s is understood', async (type, body, output) => {
    answer = (_request, response) => response.writeHead(200, type === '' ? {} : { 'content-type': type }).end(body)
    expect(await toolOf().run({ city: 'a' }, callOf())).toEqual({ output })
  })

  it('[TOOL3] another status is an error with the beginning of what was said', async () => {
    answer = (_request, response) => response.writeHead(422).end('é'.repeat(5000))
    expect(await toolOf().run({ city: 'a' }, callOf())).toEqual({ isError: true, output: { status: 422, body: 'é'.repeat(2000) } })
  })

  it('[TOOL3] of an answer of 40 MB no more is read than its limit', async () => {
    const [size, limit] = [40_000_000, 100_000]
    let sent = 0
    let left: () => void
    const gone = new Promise<void>((resolve) => (left = resolve))
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.on('close', () => left())
      const push = () => {
        while (sent < size && !response.destroyed) {
          sent += 10_000
          if (!response.write('x'.repeat(10_000))) return void response.once('drain', push)
        }
        if (sent >= size) response.end()
      }
      push()
    }
    const { output } = await toolOf({ maxOutputBytes: limit }).run({ city: 'a' }, callOf())
    await gone
    expect(String(output)).toMatch(/^x+\n\[cut off: the answer is longer than 99900 bytes\]$/)
    expect(String(output).length).toBeLessThanOrEqual(limit)
    // What is beyond the limit was in the buffers of the two sockets.
    expect(sent).toBeLessThan(size)
  })

  it('[TOOL3] an answer that breaks off is an error', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    }
    await expect(toolOf().run({ city: 'a' }, callOf())).rejects.toThrow('The server broke off in the middle of its answer.')
  })

  it('[TOOL3] checks its input against its schema', () => {
    expect(toolOf().problemOf({ city: 'Bern' })).toBeNull()
    expect(toolOf().problemOf({})).toBe('The input is not valid: city is required.')
    expect(toolOf().problemOf({ city: 5 })).toBe('The input is not valid: city must be string, not number.')
  })

  it('[TOOL3] what a definition leaves out is careful', () => {
    expect(toolOf()).toMatchObject({ approval: 'policy', idempotent: false, timeoutMs: 30_000, maxOutputBytes: 1024 * 1024 })
    expect(toolOf({ approval: 'never', idempotent: true, timeoutMs: 500, maxOutputBytes: 300 })).toMatchObject({
      ...{ approval: 'never', idempotent: true, timeoutMs: 500, maxOutputBytes: 300 },
    })
  })

  it.each(['before', 'after'])('[TOOL1] an abort %s the answer began ends the request', async (when) => {
    const abort = new AbortController()
    const closed = new Promise<void>((resolve) => {
      answer = (_request, response) => {
        response.on('close', () => resolve())
        if (when === 'after') response.write('some')
        setTimeout(() => abort.abort(new Error('The turn ended')), 50)
      }
    })
    await expect(toolOf().run({ city: 'a' }, callOf({ signal: abort.signal }))).rejects.toThrow('The turn ended')
    await closed
  })
})
