/**
 * What an isolate remembers of MCP servers, used by several objects: workerd refuses or never settles what belongs to another
 * object, and none of that may be remembered.
 */
import { runInDurableObject } from 'cloudflare:test'
import { expect, inject, it } from 'vitest'
import { McpMemory } from '../../../src/agents/tools/mcp-memory.ts'
import { mcpToolsOf } from '../../../src/agents/tools/mcp-tools.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import { crash, stubOf, type Stub } from '../../session/object-probe.ts'
import { named, toolCall } from './mcp-call.ts'

const port = inject('mcpPort')
let objects = 0

/** A new object, and what it does. */
function object(): Stub {
  objects += 1
  return stubOf(`ses_${String(objects).padStart(26, '0')}`)
}

/** One isolate's memory of a server that nobody knows yet. */
function isolate(readMs = 5000) {
  objects += 1
  const url = `http://127.0.0.1:${port}/${objects}`
  const tools = mcpToolsOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: `127.0.0.1:${port}` }, new McpMemory({ readMs }))
  return {
    list: () => tools('default', { name: 'beside', url }),
    asked: async () => (await fetch(url)).json() as Promise<string[]>,
  }
}

function echoIn(stub: Stub, tools: readonly Tool[], text: string): Promise<unknown> {
  return runInDurableObject(stub, async () => (await named(tools, 'beside__echo').run({ text }, toolCall())).output)
}

it('[TOOL3] a list that one object has read serves another, whose calls go through', async () => {
  const { list, asked } = isolate()
  const [first, second] = [object(), object()]
  const tools = await runInDurableObject(first, list)
  expect(await echoIn(first, tools, 'first')).toBe('{"text":"first"}')
  await crash(first)
  expect(await runInDurableObject(second, list)).toBe(tools)
  expect(await echoIn(second, tools, 'second')).toBe('{"text":"second"}')
  const calls = (await asked()).filter((method) => method === 'tools/list' || method === 'tools/call')
  expect(calls).toEqual(['tools/list', 'tools/call', 'tools/call'])
})

it('[TOOL3] objects that ask at the same time cause one reading', async () => {
  const { list, asked } = isolate()
  const lists = await Promise.all([object(), object(), object(), object()].map((stub) => runInDurableObject(stub, list)))
  expect(lists.map((tools) => tools.length)).toEqual([1, 1, 1, 1])
  expect((await asked()).filter((method) => method === 'tools/list')).toHaveLength(1)
})

it('[TOOL3] an object that dies in the middle of reading leaves nobody waiting for ever', async () => {
  const { list, asked } = isolate(1000)
  const [first, second] = [object(), object()]
  const dying = runInDurableObject(first, list).catch(() => 'died')
  const waiting = runInDurableObject(second, async () => {
    await scheduler.wait(50)
    return (await list()).length
  })
  await scheduler.wait(100)
  await crash(first)
  expect(await waiting).toBe(1)
  expect(await dying).toBe('died')
  expect((await asked()).filter((method) => method === 'tools/list')).toHaveLength(2)
})
