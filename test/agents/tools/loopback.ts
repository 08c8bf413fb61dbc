/** A server on loopback for the tests of one file; it counts what it sends, and remembers what it was asked. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface Seen {
  method: string
  path: string
  headers: Record<string, string>
  body: string
}

export interface Loopback {
  /** `127.0.0.1:port`. */
  host: string
  url(path: string): string
  seen: Seen[]
  close(): Promise<void>
}

export type Answer = (request: Seen, response: ServerResponse) => void

export async function loopback(answer: Answer): Promise<Loopback> {
  const seen: Seen[] = []
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const asked = { method: request.method ?? '', path: request.url ?? '', headers, body: await readBody(request) }
    seen.push(asked)
    answer(asked, response)
  }
  const server = createServer((request, response) => void take(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { host, url: (path) => `http://${host}${path}`, seen, close }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

export function redirectTo(response: ServerResponse, location: string, status = 302): void {
  response.writeHead(status, { location }).end('moved')
}
