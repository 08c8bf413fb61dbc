/**
 * What an isolate remembers of MCP servers, used by several objects: workerd refuses or never settles what belongs to another
 * object, and none of that may be remembered.
 */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, expect, inject, it } from 'vitest'
import { McpMemory } from '../../../src/agents/tools/mcp-memory.ts'
import { mcpToolsOf } from '../../../src/agents/tools/mcp-tools.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import { crash, stubOf, type Stub } from '../../session/object-probe.ts'
import { named, toolCall } from './mcp-call.ts'

const port = inject('mcpPort')
let objects = 0

// Outside of workerd modules are compiled when they are first imported, which may take longer than a reading.
beforeAll(() => import('../../../src/agents/tools/mcp-tool.ts'))

/** A new object, and what it does. */
function object(): Stub {
  objects += 1
  return stubOf(`ses_${String(objects).padStart(26, '0')}`)
}

/** One isolate's memory of a server that nobody knows yet. */
function isolate({ readMs = 20_000, folder = 'talking' } = {}) {
  objects += 1
  const url = `http://127.0.0.1:${port}/${folder}/${objects}`
  const tools = mcpToolsOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: `127.0.0.1:${port}` }, new McpMemory({ readMs }))
  return {
    list: () => tools('default', { name: 'beside', url }),
    count: async (method: string) => ((await (await fetch(url)).json()) as string[]).filter((each) => each === method).length,
  }
}

function echoIn(stub: Stub, tools: readonly Tool[], text: string): Promise<unknown> {
  return runInDurableObject(stub, async () => (await named(tools, 'beside__echo').run({ text }, toolCall())).output)
}

it('[TOOL6] a list that one object has read serves another, whose calls go through', async () => {
  const { list, count } = isolate()
  const [first, second] = [object(), object()]
  const tools = await runInDurableObject(first, list)
  expect(await echoIn(first, tools, 'first')).toBe('{"text":"first"}')
  await crash(first)
  expect(await runInDurableObject(second, list)).toBe(tools)
  expect(await echoIn(second, tools, 'second')).toBe('{"text":"second"}')
  expect(await count('tools/list')).toBe(1)
  expect(await count('tools/call')).toBe(2)
})

it('[TOOL6] objects that ask at the same time cause one reading', async () => {
  const { list, count } = isolate()
  const lists = await Promise.all([object(), object(), object(), object()].map((stub) => runInDurableObject(stub, list)))
  expect(lists.map((tools) => tools.length)).toEqual([1, 1, 1, 1])
  expect(await count('tools/list')).toBe(1)
})

it('[TOOL6] an object that dies in the middle of reading leaves nobody waiting for ever', async () => {
  const { list, count } = isolate({ readMs: 3000, folder: 'silent' })
  const [first, second] = [object(), object()]
  const dying = runInDurableObject(first, list).catch(() => 'died')
  while ((await count('tools/list')) === 0) await scheduler.wait(10)
  const waiting = runInDurableObject(second, list)
  await scheduler.wait(50)
  await crash(first)
  expect(await waiting).toHaveLength(1)
  expect(await dying).toBe('died')
  expect(await count('tools/list')).toBe(2)
})
