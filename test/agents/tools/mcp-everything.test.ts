/** The official example server, as a process of its own: what this server does works with what others run. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { McpMemory } from '../../../src/agents/tools/mcp-memory.ts'
import { mcpToolsOf } from '../../../src/agents/tools/mcp-tools.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import { named, toolCall } from './mcp-call.ts'

const program = path.resolve(import.meta.dirname, '../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const memory = new McpMemory()
let server: ChildProcess
let port: number
let output = ''

beforeAll(async () => {
  port = await freePort()
  await run()
})

afterAll(() => stop())

/** Until it says that it listens. */
async function run(): Promise<void> {
  server = spawn(process.execPath, [program, 'streamableHttp'], { env: { ...process.env, PORT: String(port) } })
  server.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  await new Promise<void>((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`The example server ended with ${code}`)))
    server.stderr?.setEncoding('utf8').on('data', (text: string) => text.includes('listening') && resolve())
  })
}

async function stop(): Promise<void> {
  server.kill('SIGKILL')
  await once(server, 'exit')
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

function tools(): Promise<readonly Tool[]> {
  const read = mcpToolsOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: `127.0.0.1:${port}` }, memory)
  return read('default', { name: 'everything', url: `http://127.0.0.1:${port}/mcp` })
}

async function tool(name: string): Promise<Tool> {
  return named(await tools(), `everything__${name}`)
}

it('[TOOL3] its tools appear, every one of them usable', async () => {
  const found = await tools()
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(['everything__echo', 'everything__get-sum']))
  expect(found.length).toBeGreaterThan(10)
  const sum = await tool('get-sum')
  expect(sum.idempotent).toBe(true)
  expect(sum.problemOf({ a: 1, b: 2 })).toBeNull()
  expect(sum.problemOf({ a: 1 })).toContain('b')
})

it('[TOOL3] its tools are called, and answer text, structure and files', async () => {
  expect(await (await tool('echo')).run({ message: 'hällo 🐿' }, toolCall())).toEqual({ output: 'Echo: hällo 🐿' })
  expect((await (await tool('get-sum')).run({ a: 2, b: 40 }, toolCall())).output).toBe('The sum of 2 and 40 is 42.')
  const weather = await (await tool('get-structured-content')).run({ location: 'Chicago' }, toolCall())
  expect(JSON.parse(String(weather.output))).toMatchObject({ temperature: 36 })
  const image = await (await tool('get-tiny-image')).run({}, toolCall())
  expect(image.output).toContainEqual({ type: 'image', mimeType: 'image/png', bytes: expect.any(Number) })
})

it('[TOOL3] its error is told to the model', async () => {
  const answer = await (await tool('get-sum')).run({ a: 'two', b: 40 }, toolCall())
  expect(answer).toEqual({ output: expect.stringContaining('expected number'), isError: true })
})

it('[TOOL3] a long call of it is aborted in the middle, and the next one works', async () => {
  const long = await tool('trigger-long-running-operation')
  const abort = new AbortController()
  setTimeout(() => abort.abort(new Error('The turn was ended.')), 200)
  const began = Date.now()
  await expect(long.run({ duration: 30, steps: 30 }, toolCall({ signal: abort.signal }))).rejects.toThrow('The turn was ended.')
  expect(Date.now() - began).toBeLessThan(5000)
  expect((await long.run({ duration: 0.2, steps: 2 }, toolCall())).output).toContain('completed')
})

it('[TOOL3] restarted, it has forgotten the session, and a new one is begun', async () => {
  const echo = await tool('echo')
  await echo.run({ message: 'a' }, toolCall())
  await stop()
  await expect(echo.run({ message: 'b' }, toolCall())).rejects.toThrow('cannot be reached')
  output = ''
  await run()
  expect((await echo.run({ message: 'c' }, toolCall())).output).toBe('Echo: c')
  expect(output.match(/Session initialized/g)).toHaveLength(1)
})
