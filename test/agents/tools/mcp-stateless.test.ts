/** Servers of the version without sessions: nothing is begun, nothing is kept, and headers say what is asked. */
import { afterEach, expect, it } from 'vitest'
import { McpMemory } from '../../../src/agents/tools/mcp-memory.ts'
import { mcpToolsOf } from '../../../src/agents/tools/mcp-tools.ts'
import { named, toolCall } from './mcp-call.ts'
import { LyingServer } from './mcp-server.ts'

const started: LyingServer[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

async function stateless(): Promise<LyingServer> {
  const resultType = 'complete'
  const region = { type: 'string', 'x-mcp-header': 'Region' }
  const server = await LyingServer.start({
    'server/discover': () => ({ resultType, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
    'tools/list': () => ({ resultType, tools: [{ name: 'größe', inputSchema: { type: 'object', properties: { region } } }] }),
    'tools/call': ({ params }) => ({ resultType, content: [{ type: 'text', text: JSON.stringify(params.arguments) }] }),
  })
  started.push(server)
  return server
}

it('[TOOL3] a call asks a stateless server which version it speaks, and then for the tool', async () => {
  const server = await stateless()
  const tools = await mcpToolsOf(server.environment, new McpMemory())('default', server.definition())
  const tool = named(tools, 'liar__gr__e')
  expect(server.methods()).toEqual(['server/discover', 'tools/list'])
  for (const region of ['eu', 'us']) {
    expect((await tool.run({ region }, toolCall({ toolCallId: `msg_${region}` }))).output).toBe(`{"region":"${region}"}`)
  }
  expect(server.methods().slice(2)).toEqual(['server/discover', 'tools/call', 'server/discover', 'tools/call'])
  const headers = server.asked.at(-1)?.headers
  expect(headers).toMatchObject({ 'mcp-method': 'tools/call', 'mcp-param-region': 'us', 'idempotency-key': 'msg_us' })
  expect(Buffer.from(String(headers?.['mcp-name']).slice(9, -2), 'base64').toString()).toBe('größe')
  expect(headers?.['mcp-protocol-version']).toBe('2026-07-28')
  expect(headers?.['mcp-session-id']).toBeUndefined()
  expect(server.asked.at(-1)?.params._meta).toMatchObject({
    'dormouse/toolCallId': 'msg_us',
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  })
})

it('[TOOL3] an abandoned connection is all that a stateless server needs to end a call', async () => {
  const abort = new AbortController()
  const server = await stateless()
  server.reply('tools/call', () => {
    abort.abort(new Error('The turn was ended.'))
    return undefined
  })
  const tools = await mcpToolsOf(server.environment, new McpMemory())('default', server.definition())
  await expect(named(tools, 'liar__gr__e').run({}, toolCall({ signal: abort.signal }))).rejects.toThrow('The turn was ended.')
  await server.asked.at(-1)?.abandoned
  expect(server.methods().at(-1)).toBe('tools/call')
})
