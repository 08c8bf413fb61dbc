/** Tools of MCP servers that lie, break and vanish: whatever they do, it ends, and what is said of it is clear. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { McpMemory } from '../../../src/agents/tools/mcp-memory.ts'
import { mcpToolsOf } from '../../../src/agents/tools/mcp-tools.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import type { McpServer } from '../../../src/protocol/agent.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { named, toolCall } from './mcp-call.ts'
import { asEvent, echo, LyingServer, type Reply } from './mcp-server.ts'

const started: LyingServer[] = []

// It is loaded with the first list, which may take longer than these tests are ready to wait for one.
beforeAll(() => import('../../../src/agents/tools/mcp-tool.ts'))

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

async function lying(replies: Record<string, Reply> = {}): Promise<LyingServer> {
  const server = await LyingServer.start(replies)
  started.push(server)
  return server
}

function toolsOf(server: LyingServer, more: Partial<McpServer> = {}, memory = new McpMemory()): Promise<readonly Tool[]> {
  return mcpToolsOf(server.environment, memory)('default', server.definition(more))
}

async function echoOf(server: LyingServer, more: Partial<McpServer> = {}, memory = new McpMemory()): Promise<Tool> {
  return named(await toolsOf(server, more, memory), 'liar__echo')
}

/** The lines that were logged while it ran. */
async function logged(run: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  warn.mockClear()
  await run()
  return warn.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>)
}

const html: Reply = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>')
  return undefined
}

describe('the list of an MCP server', () => {
  it('[TOOL6] becomes tools, named after their server', async () => {
    const server = await lying()
    const tool = await echoOf(server, { timeoutMs: 500, maxOutputBytes: 1000 })
    expect(tool).toMatchObject({ description: 'Says it again.', inputSchema: echo.inputSchema, approval: 'policy', idempotent: false })
    expect(tool).toMatchObject({ timeoutMs: 500, maxOutputBytes: 1000 })
    expect(tool.problemOf({ text: 'a' })).toBeNull()
    expect(tool.problemOf({ text: 1 })).toEqual(expect.any(String))
    expect(tool.problemOf(['a'])).toEqual(expect.any(String))
  })

  it('[TOOL5] hints decide what may be run again, and never whether a person is asked', async () => {
    const hints = [{ readOnlyHint: true }, { idempotentHint: true }, { destructiveHint: false }, null]
    const tools = hints.map((annotations, i) => ({ ...echo, name: `t${i}`, annotations }))
    const found = await toolsOf(await lying({ 'tools/list': () => ({ tools }) }), { approval: 'always' })
    expect(found.map(({ idempotent }) => idempotent)).toEqual([true, true, false, false])
    expect(new Set(found.map(({ approval }) => approval))).toEqual(new Set(['always']))
  })

  it('[TOOL6] leaves out what is no tool, says so once, and keeps the rest', async () => {
    const bad = [
      { ...echo, name: 'text', inputSchema: 'string' },
      { ...echo, name: 'type', inputSchema: { type: 'object', properties: { a: { type: 'strnig' } } } },
      { ...echo, name: 'array', inputSchema: { type: 'array' } },
      { ...echo, name: 'large', inputSchema: { type: 'object', description: 'x'.repeat(70_000) } },
      { ...echo, name: 'x'.repeat(200) },
      { description: 'nameless', inputSchema: { type: 'object' } },
      { ...echo, description: 'A second one of that name.' },
      7,
    ]
    const server = await lying({ 'tools/list': () => ({ tools: [echo, ...bad, { name: 'last', inputSchema: {} }] }) })
    const memory = new McpMemory({ freshMs: 0, staleMs: 0 })
    const names = async () => (await toolsOf(server, {}, memory)).map(({ name }) => name)
    const lines = await logged(async () => {
      expect(await names()).toEqual(['liar__echo', 'liar__last'])
      expect(await names()).toEqual(['liar__echo', 'liar__last'])
    })
    expect(server.count('tools/list')).toBe(2)
    expect(lines.map(({ tool }) => tool)).toEqual(['text', 'type', 'array', 'large', 'x'.repeat(128), '', 'echo'])
    expect(lines[1]).toEqual({ level: 'warn', event: 'mcp.tool_refused', server: 'liar', tool: 'type', reason: expect.any(String) })
  })

  it('[TOOL6] of ten thousand tools the first are offered, and the log stays short', async () => {
    const tools = Array.from({ length: 10_000 }, (_, i) => ({ ...echo, name: `t${i}`, description: 'd'.repeat(1100) }))
    const server = await lying({ 'tools/list': () => ({ tools: tools.map((tool, i) => (i % 2 ? { ...tool, inputSchema: 1 } : tool)) }) })
    const lines = await logged(async () => {
      const found = await toolsOf(server)
      expect(found).toHaveLength(limits.mcpTools)
      expect(found.at(-1)?.name).toBe(`liar__t${2 * (limits.mcpTools - 1)}`)
      expect(found[0]?.description).toHaveLength(1024)
    })
    expect(lines).toHaveLength(17)
    expect(lines.at(-1)).toMatchObject({ event: 'mcp.tools_left_out' })
  })

  it('[TOOL6] takes up little memory, however large the schemas', async () => {
    const inputSchema = { type: 'object', description: 'x'.repeat(30_000) }
    const tools = Array.from({ length: 100 }, (_, i) => ({ name: `t${i}`, inputSchema }))
    expect(await toolsOf(await lying({ 'tools/list': () => ({ tools }) }))).toHaveLength(17)
  })

  it('[TOOL6] is read page by page, until nothing is missing or the pages repeat', async () => {
    const page: Reply = ({ params }) => {
      const at = Number(params.cursor ?? 0)
      return { tools: [{ ...echo, name: `t${at}` }], nextCursor: String(at + 1) }
    }
    const endless = await lying({ 'tools/list': page })
    expect(await toolsOf(endless)).toHaveLength(64)
    expect(await toolsOf(endless, { tools: ['t1', 't3'] })).toHaveLength(2)
    expect(endless.count('tools/list')).toBe(64 + 4)
    const stuck = await lying({ 'tools/list': () => ({ tools: [echo], nextCursor: 'again' }) })
    expect(await logged(() => toolsOf(stuck))).toHaveLength(1)
    expect(stuck.count('tools/list')).toBe(2)
  })

  it.each<[string, Record<string, Reply>, string]>([
    ['HTML', { initialize: html }, 'what it answers is not MCP'],
    ['a bare string', { initialize: () => 'hello' }, 'what it answers is not MCP'],
    ['tools that are no list', { 'tools/list': () => ({ tools: 'many' }) }, 'what it answers is not MCP'],
    ['a version of nobody', { initialize: () => ({ protocolVersion: '1999-01-01', capabilities: {}, serverInfo: {} }) }, 'is not MCP'],
    ['an answer to something else', { initialize: (_, r) => void r.end('{"jsonrpc":"2.0","id":99,"result":{}}') }, 'without a result'],
    ['silence', { initialize: (_, r) => void r.writeHead(200).end() }, 'is not MCP'],
    [
      'a stream without an answer',
      { initialize: (_, r) => void r.writeHead(200, { 'content-type': 'text/event-stream' }).end() },
      'result',
    ],
    ['HTTP 401', { initialize: (_, r) => void r.writeHead(401).end('who?') }, 'refuses the credentials of its definition (HTTP 401)'],
    ['HTTP 500', { initialize: (_, r) => void r.writeHead(500).end('oops') }, 'it refuses the request (HTTP 500)'],
    ['a broken connection', { initialize: (_, r) => void r.destroy() }, 'cannot be reached'],
    ['silence for ever', { initialize: () => undefined }, 'in time'],
    ['headers, then silence', { initialize: (_, r) => void r.writeHead(200).write(' ') }, 'in time'],
  ])('[TOOL6] %s: no tools, and the log says why', async (_, replies, reason) => {
    const server = await lying(replies)
    const memory = new McpMemory(reason === 'in time' ? { readMs: 1000 } : {})
    const lines = await logged(async () => expect(await toolsOf(server, {}, memory)).toEqual([]))
    expect(lines).toEqual([{ level: 'warn', event: 'mcp.server_failed', server: 'liar', reason: expect.stringContaining(reason) }])
  })

  it('[TOOL4] is not asked for at a private address, nor where a redirect leads to one', async () => {
    const server = await lying()
    const read = mcpToolsOf({}, new McpMemory())
    const lines = await logged(async () => expect(await read('default', server.definition())).toEqual([]))
    expect(lines[0]?.reason).toContain('127.0.0.1')
    expect(server.asked).toEqual([])
    const memory = new McpMemory()
    expect(await toolsOf(server, {}, memory)).toHaveLength(1)
    expect(await mcpToolsOf({}, memory)('default', server.definition())).toEqual([])
    const target = await lying()
    const away: Reply = (_, response) => void response.writeHead(307, { location: target.definition().url }).end()
    const redirecting = await lying({ initialize: away, 'server/discover': away })
    expect(await logged(async () => expect(await toolsOf(redirecting)).toEqual([]))).toHaveLength(1)
    expect(target.asked).toEqual([])
  })
})

describe('a call of an MCP tool', () => {
  it('[TOOL1] carries its id as the idempotency key, and the headers of the definition', async () => {
    const server = await lying()
    const tool = await echoOf(server, { headers: { Authorization: 'Bearer of-the-definition' } })
    const { output } = await tool.run({ text: 'hello' }, toolCall({ toolCallId: 'msg_7-0' }))
    expect(output).toBe('{"text":"hello"}')
    const asked = server.asked.find(({ method }) => method === 'tools/call')
    expect(asked?.params).toEqual({ name: 'echo', arguments: { text: 'hello' }, _meta: { 'dormouse/toolCallId': 'msg_7-0' } })
    expect(asked?.headers).toMatchObject({ 'idempotency-key': 'msg_7-0', authorization: 'Bearer of-the-definition' })
    expect(server.asked.every(({ headers }) => headers.authorization === 'Bearer of-the-definition')).toBe(true)
  })

  it('[TOOL3] costs one request once a conversation has its session, and each has its own', async () => {
    const server = await lying()
    const tool = await echoOf(server)
    await vi.waitFor(() =>
      expect(server.methods()).toEqual(['server/discover', 'initialize', 'notifications/initialized', 'tools/list', 'DELETE']),
    )
    server.asked.length = 0
    for (const sessionId of ['ses_a', 'ses_a', 'ses_b', 'ses_a']) await tool.run({ text: 'x' }, toolCall({ sessionId }))
    const begin = ['initialize', 'notifications/initialized', 'tools/call']
    expect(server.methods()).toEqual([...begin, 'tools/call', ...begin, 'tools/call'])
    const calls = server.asked.filter(({ method }) => method === 'tools/call').map(({ headers }) => headers['mcp-session-id'])
    expect(calls[1]).toBe(calls[0])
    expect(calls[2]).not.toBe(calls[0])
    expect(calls[3]).toBe(calls[0])
  })

  it('[TOOL3] a conversation that was silent for long begins a new session', async () => {
    let now = 0
    const server = await lying()
    const tool = await echoOf(server, {}, new McpMemory({}, () => now))
    for (const minutes of [0, 29, 31]) {
      now += minutes * 60_000
      await tool.run({ text: 'x' }, toolCall())
    }
    expect(server.count('initialize')).toBe(1 + 2)
  })

  it('[TOOL3] calls at the same time share one session, and end the one that is too many', async () => {
    const server = await lying()
    const tool = await echoOf(server)
    await Promise.all([1, 2, 3].map(() => tool.run({ text: 'x' }, toolCall())))
    const used = server.asked.filter(({ method }) => method === 'tools/call').map(({ headers }) => headers['mcp-session-id'])
    expect(new Set(used).size).toBe(1)
    await vi.waitFor(() => expect(server.count('DELETE')).toBe(server.count('initialize') - 1))
  })

  it.each([404, 400])('[TOOL3] connects anew, once, when the server lost the session and says %d', async (status) => {
    const server = await lying()
    const tool = await echoOf(server)
    await tool.run({ text: 'x' }, toolCall())
    server.sessions.clear()
    server.refusal = status
    expect((await tool.run({ text: 'again' }, toolCall())).output).toBe('{"text":"again"}')
    expect(server.count('tools/call')).toBe(3)
    server.sessions.clear()
    server.isForgetful = true
    await expect(tool.run({ text: 'x' }, toolCall())).rejects.toThrow(`(HTTP ${status})`)
    expect(server.count('initialize')).toBe(4)
  })

  it('[TOOL3] takes up the answer of a stream that stays open, and tells the model of an error', async () => {
    const server = await lying({
      'tools/call': ({ id }, response) => asEvent(response, id, { content: [{ type: 'text', text: 'no such file' }], isError: true }),
    })
    const tool = await echoOf(server)
    expect(await tool.run({ text: 'x' }, toolCall())).toEqual({ output: 'no such file', isError: true })
    await server.asked.find(({ method }) => method === 'tools/call')?.abandoned
  })

  it('[TOOL3] joins texts, and of files tells the size', async () => {
    const blob = Buffer.from('12345').toString('base64')
    const files = [
      { type: 'text', text: 'half \ud83d' },
      { type: 'image', data: blob, mimeType: 'image/png' },
      { type: 'audio', data: blob, mimeType: 'audio/wav' },
      { type: 'resource', resource: { uri: 'file:///a', mimeType: 'image/gif', blob } },
      { type: 'resource', resource: { uri: 'file:///b', text: 'words' } },
      { type: 'resource_link', uri: 'file:///c', name: 'c', _meta: { secret: 1 } },
    ]
    const deep = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`) as unknown
    const results = [
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
        structuredContent: { a: 1 },
      },
      { content: [], structuredContent: { a: 1 } },
      { structuredContent: { a: 2 } },
      { content: [], structuredContent: deep },
      { content: files },
    ]
    const tool = await echoOf(await lying({ 'tools/call': () => results.shift() }))
    const output = async () => (await tool.run({ text: 'x' }, toolCall())).output
    expect(await output()).toBe('a\nb')
    expect(await output()).toEqual({ a: 1 })
    expect(await output()).toBe('{"a":2}')
    expect(JSON.stringify(await output())).toContain('nested too deep')
    expect(await output()).toEqual([
      { type: 'text', text: 'half \ufffd' },
      { type: 'image', mimeType: 'image/png', bytes: 5 },
      { type: 'audio', mimeType: 'audio/wav', bytes: 5 },
      { type: 'resource', uri: 'file:///a', mimeType: 'image/gif', bytes: 5 },
      { type: 'resource', uri: 'file:///b', text: 'words' },
      { type: 'resource_link', uri: 'file:///c', name: 'c' },
    ])
  })

  it('[TOOL3] reads ten megabytes, an image of them too, and not more than the limit', async () => {
    const mega = 1024 * 1024
    let result: unknown = null
    const server = await lying({ 'tools/call': () => result })
    const tool = await echoOf(server)
    result = { content: [{ type: 'text', text: 'x'.repeat(10 * mega) }] }
    expect((await tool.run({ text: 'x' }, toolCall())).output).toHaveLength(10 * mega)
    result = { content: [{ type: 'image', mimeType: 'image/png', data: 'QUJD'.repeat(3 * mega) }] }
    expect((await tool.run({ text: 'x' }, toolCall())).output).toEqual([{ type: 'image', mimeType: 'image/png', bytes: 9 * mega }])
    result = { content: [{ type: 'text', text: 'x'.repeat(limits.outputBytes) }] }
    await expect(tool.run({ text: 'x' }, toolCall())).rejects.toThrow('its answer is larger than')
  })

  it('[TOOL3] cuts an answer without end while it is read', async () => {
    const server = await lying({
      'tools/call': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const more = () => response.destroyed || response.write(`: ${'x'.repeat(65_536)}\n\n`, () => setImmediate(more))
        more()
      },
    })
    const tool = await echoOf(server)
    await expect(tool.run({ text: 'x' }, toolCall())).rejects.toThrow(`larger than ${limits.outputBytes} bytes`)
    await server.asked.find(({ method }) => method === 'tools/call')?.abandoned
  })

  it('[TOOL3] aborted in the middle: the server sees it, and is told', async () => {
    const abort = new AbortController()
    const server = await lying({
      'tools/call': () => {
        setTimeout(() => abort.abort(new Error('The turn was ended.')), 20)
        return undefined
      },
    })
    const tool = await echoOf(server)
    await expect(tool.run({ text: 'x' }, toolCall({ signal: abort.signal }))).rejects.toThrow('The turn was ended.')
    const asked = server.asked.find(({ method }) => method === 'tools/call')
    await asked?.abandoned
    await vi.waitFor(() => expect(server.asked.at(-1)?.method).toBe('notifications/cancelled'))
    expect(server.asked.at(-1)?.params.requestId).toBe(asked?.id)
  })

  it.each<[string, Reply, string]>([
    ['HTML', html, 'The MCP server liar cannot be used: what it answers is not MCP.'],
    ['a wrong shape', () => ({ content: [{ type: 'text' }] }), 'The MCP server liar cannot be used: what it answers is not MCP.'],
    ['no result', () => ({}), 'The MCP server liar cannot be used: what it answers is not MCP.'],
    ['garbage in a stream', (_, r) => void r.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {"a\n\n'), 'is not MCP'],
    ['a stream that ends', (_, r) => void r.writeHead(200, { 'content-type': 'text/event-stream' }).end(': hm\n\n'), 'without a result'],
    [
      'a stream that breaks',
      (_, r) => void r.writeHead(200, { 'content-type': 'text/event-stream' }).write('da', () => r.destroy()),
      'broke off',
    ],
    ['a length above the limit', (_, r) => void r.writeHead(200, { 'content-length': 2 ** 30 }).write(' '), 'its answer is larger than'],
    ['HTTP 403', (_, r) => void r.writeHead(403).end(), 'it refuses the credentials of its definition (HTTP 403).'],
    ['a redirect', (_, r) => void r.writeHead(307, { location: 'http://10.0.0.1/' }).end(), '10.0.0.1'],
  ])('[TOOL3] answered with %s becomes one clear sentence', async (_, reply, sentence) => {
    const tool = await echoOf(await lying({ 'tools/call': reply }))
    await expect(tool.run({ text: 'x' }, toolCall())).rejects.toMatchObject({
      name: 'ToolError',
      message: expect.stringContaining(sentence),
    })
  })

  it('[SEC4] an error does not repeat what the definition keeps secret', async () => {
    const echoing: Reply = ({ id, headers }, response) => {
      const message = `Not with ${headers.authorization} and ${String(headers['x-key'])}: ${'!'.repeat(5000)}`
      return void response.writeHead(200).end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message } }))
    }
    const headers = { Authorization: 'Bearer sk-very-secret', 'X-Key': 'key-0815' }
    const tool = await echoOf(await lying({ 'tools/call': echoing }), { headers })
    const error = await tool.run({ text: 'x' }, toolCall()).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ToolError', message: expect.stringContaining('Not with *** and ***: !!!') })
    expect(String(error)).not.toMatch(/very-secret|0815/)
    expect(String(error).length).toBeLessThan(1200)
    const refusing = await lying({ initialize: echoing })
    const lines = await logged(() => toolsOf(refusing, { headers }))
    expect(lines[0]?.reason).toContain('***')
    expect(JSON.stringify(lines)).not.toMatch(/very-secret|0815/)
  })
})

describe('asking for a list', () => {
  it('[TOOL6] happens once for many who ask, and again when it is old', async () => {
    let now = 1000
    const memory = new McpMemory({}, () => now)
    const server = await lying()
    const lists = await Promise.all(Array.from({ length: 50 }, () => toolsOf(server, {}, memory)))
    expect(lists.every((list) => list === lists[0])).toBe(true)
    expect(server.count('tools/list')).toBe(1)
    await Promise.all([toolsOf(server, { tools: ['echo'] }, memory), mcpToolsOf(server.environment, memory)('other', server.definition())])
    expect(server.count('tools/list')).toBe(3)
    now += 5 * 60_000
    await Promise.all(Array.from({ length: 50 }, () => toolsOf(server, {}, memory)))
    await vi.waitFor(() => expect(server.count('tools/list')).toBe(4))
    expect(await toolsOf(server, {}, memory)).toEqual(await toolsOf(server, {}, memory))
    expect(server.count('tools/list')).toBe(4)
  })

  it('[TOOL6] a server that is down keeps its tools for some minutes, and is not asked at every step', async () => {
    let now = 1000
    let isDown = false
    const memory = new McpMemory({}, () => now)
    const server = await lying({
      'tools/list': (_, response) => (isDown ? void response.writeHead(503).end() : { tools: [echo] }),
    })
    const count = async () => (await toolsOf(server, {}, memory)).length
    expect(await count()).toBe(1)
    isDown = true
    now += 20 * 60_000
    const lines = await logged(async () => {
      expect([await count(), await count()]).toEqual([1, 1])
      expect(server.count('tools/list')).toBe(2)
      now += 9 * 60_000
      expect(await count()).toBe(1)
      expect(server.count('tools/list')).toBe(3)
      now += 2 * 60_000
      expect([await count(), await count()]).toEqual([0, 0])
      expect(server.count('tools/list')).toBe(4)
    })
    expect(lines).toHaveLength(1)
    isDown = false
    now += 15_000
    expect(await count()).toBe(1)
  })
})
