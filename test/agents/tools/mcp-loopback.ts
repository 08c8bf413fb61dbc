/** Starts an MCP server beside the tests that run in workerd, which cannot listen themselves. Vitest calls this once. */
import type { TestProject } from 'vitest/node'
import { echo, LyingServer, type Asked } from './mcp-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    mcpPort: number
  }
}

/** How long a list takes, for tests that end whoever asked for it before. */
const listMs = 300

/** `GET` on a path answers what was asked there, by JSON-RPC method. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await LyingServer.start()
  server.reply('tools/list', ({ id }, response) => {
    setTimeout(() => response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [echo] } })), listMs)
    return undefined
  })
  server.reply('GET', ({ path }: Asked, response) => {
    response.end(JSON.stringify(server.asked.filter((asked) => asked.path === path && asked.verb === 'POST').map(({ method }) => method)))
    return undefined
  })
  project.provide('mcpPort', server.port)
  return () => server.stop()
}
