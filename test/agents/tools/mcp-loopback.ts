/** Starts an MCP server beside the tests that run in workerd, which cannot listen themselves. Vitest calls this once. */
import type { TestProject } from 'vitest/node'
import { echo, LyingServer } from './mcp-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    mcpPort: number
  }
}

/** How long a list takes: objects that ask at the same time shall find each other. */
const listMs = 300

/** `GET` on a path answers what was asked there, by JSON-RPC method. On `/silent…` the first list is never answered. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await LyingServer.start()
  const askedAt = (path: string) => server.asked.filter((asked) => asked.path === path && asked.verb === 'POST').map(({ method }) => method)
  server.reply('tools/list', ({ id, path }, response) => {
    if (path.startsWith('/silent') && askedAt(path).filter((method) => method === 'tools/list').length === 1) return
    setTimeout(() => response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [echo] } })), listMs)
  })
  server.reply('GET', ({ path }, response) => void response.end(JSON.stringify(askedAt(path))))
  project.provide('mcpPort', server.port)
  return () => server.stop()
}
