import { describe, expect, it } from 'vitest'
import { definitionProblems } from '../../../src/agents/tools/definition-problems.ts'
import type { HttpTool } from '../../../src/protocol/agent.ts'

const problemsOf = definitionProblems({ DORMOUSE_ALLOW_PRIVATE_HOSTS: 'localhost:9000' })
const tool = (more: Partial<HttpTool> = {}): HttpTool => ({
  type: 'http',
  name: 'weather',
  description: 'Tells it.',
  url: 'https://hooks.example/',
  inputSchema: { type: 'object' },
  ...more,
})

describe('the tools of a definition', () => {
  it.each([
    [{}],
    [{ tools: null, mcpServers: null }],
    [{ tools: [] }],
    [{ tools: ['calculate', 'fetch_url', tool()] }],
    [{ tools: [tool({ url: 'http://localhost:9000/x' })], mcpServers: [{ name: 'm', url: 'http://localhost:9000/mcp' }] }],
  ])('[AGT1] can be saved, case %#', async (definition) => {
    expect(await problemsOf(definition)).toEqual([])
  })

  it('[AGT1] a name that is not known is told with those that are', async () => {
    expect(await problemsOf({ tools: ['calculate', 'calculator'] })).toEqual([
      {
        path: 'tools.1',
        message: 'is not a tool of this server, which has current_time, calculate, fetch_url, remember, notes, demo_note',
      },
    ])
  })

  it.each([
    [tool({ inputSchema: { type: 'objekt' } }), 'tools.0.inputSchema', 'must have the type "object", for a tool takes named arguments'],
    [tool({ name: 'notes' }), 'tools.0.name', 'is the name of a tool that comes with the server'],
    [tool({ url: 'https://10.0.0.1/?k=s3cret' }), 'tools.0.url', 'cannot be called. Not allowed: 10.0.0.1 is not a public address.'],
    [tool({ url: 'http://hooks.example/' }), 'tools.0.url', 'cannot be called. Not allowed: hooks.example can be reached over https only.'],
    [tool({ url: 'http://localhost:9001/' }), 'tools.0.url', 'cannot be called. Not allowed: localhost can be reached over https only.'],
    [tool({ url: 'https://[' }), 'tools.0.url', 'must be a valid URL'],
  ])('[AGT1] a tool that cannot be used is refused, case %#', async (definition, path, message) => {
    expect(await problemsOf({ tools: [definition] })).toEqual([{ path, message }])
  })

  it('[AGT1] every problem is told at once', async () => {
    const problems = await problemsOf({
      tools: ['nothing', tool({ name: 'calculate', inputSchema: {}, url: 'https://127.0.0.1/' })],
      mcpServers: [
        { name: 'a', url: 'https://mcp.example/' },
        { name: 'b', url: 'https://metadata.google.internal/' },
      ],
    })
    expect(problems.map(({ path }) => path)).toEqual(['tools.0', 'tools.1.name', 'tools.1.inputSchema', 'tools.1.url', 'mcpServers.1.url'])
  })
})
