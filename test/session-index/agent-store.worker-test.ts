import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test } from 'vitest'
import type { AgentDefinition } from '../../src/protocol/agent.ts'
import { agentDefinitionsOf } from '../../src/session-index/agent-definitions.ts'
import { agentMadeBy, createAgent, deleteAgent, listAgents, readAgent, updateAgent } from '../../src/session-index/agent-store.ts'
import { sealSecrets } from '../../src/session-index/agent-secrets.ts'
import { costOf } from './index-fixture.ts'

const db = env.INDEX

const contentOf = (definition: AgentDefinition, secrets: string | null = null) => ({ definition, secrets })

function make(tenant: string, name: string, instructions = 'first', command: { key: string; hash: string } | null = null) {
  return createAgent(db, tenant, name, contentOf({ instructions }), { at: 1000, command })
}

function change(tenant: string, name: string, version: number, instructions: string) {
  return updateAgent(db, tenant, { name, version }, contentOf({ instructions }), 2000)
}

const textOf = async (tenant: string, name: string, version: number | null = null) =>
  (await readAgent(db, tenant, name, version))?.definition.instructions

describe('agents and their versions', () => {
  test('[AGT1] versions count 1, 2, 3, every one stays as it was, and dates tell which is which', async () => {
    expect(await make('v', 'a')).toBe(1)
    expect(await change('v', 'a', 1, 'second')).toBe(2)
    expect(await change('v', 'a', 2, 'third')).toBe(3)
    expect(await readAgent(db, 'v', 'a', null)).toEqual({
      name: 'a',
      version: 3,
      definition: { instructions: 'third' },
      secrets: null,
      createdAt: 1000,
      updatedAt: 2000,
    })
    expect([await textOf('v', 'a', 1), await textOf('v', 'a', 2), await textOf('v', 'a', 4)]).toEqual(['first', 'second', undefined])
    expect([await textOf('w', 'a'), await textOf('w', 'a', 1)]).toEqual([undefined, undefined])
  })

  test('[AGT1] a change is made to the version it was decided on, or not at all', async () => {
    await make('guard', 'a')
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => change('guard', 'a', 1, `by ${i}`)))
    expect(outcomes.filter((version) => version === 2)).toHaveLength(1)
    expect(outcomes.filter((version) => version === null)).toHaveLength(7)
    expect(await textOf('guard', 'a')).toBe(`by ${outcomes.indexOf(2)}`)
    expect(await change('guard', 'a', 1, 'late')).toBeNull()
    expect(await change('guard', 'none', 1, 'late')).toBeNull()
  })

  test('[AGT1] a name that was deleted goes on counting when it is used again, and its versions stay', async () => {
    await make('gone', 'a')
    await change('gone', 'a', 1, 'second')
    expect(await deleteAgent(db, 'other', 'a', 3000)).toBe(false)
    expect(await deleteAgent(db, 'gone', 'a', 3000)).toBe(true)
    expect(await deleteAgent(db, 'gone', 'a', 3000)).toBe(false)
    expect([await textOf('gone', 'a'), await textOf('gone', 'a', 2)]).toEqual([undefined, 'second'])
    expect(await change('gone', 'a', 2, 'undead')).toBeNull()
    expect(await make('gone', 'a', 'again')).toBe(3)
    expect([await textOf('gone', 'a'), await textOf('gone', 'a', 1)]).toEqual(['again', 'first'])
  })

  test('[TRN6] a name is taken once, and a key makes one agent, whatever comes at the same time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 6 }, (_, i) => make('once', 'a', `by ${i}`)))
    expect(outcomes.filter((version) => version !== null)).toEqual([1])
    const command = { key: 'the key', hash: 'h' }
    const keyed = await Promise.all(['b', 'c', 'd'].map((name) => make('once', name, 'x', command)))
    expect(keyed.filter((version) => version !== null)).toEqual([1])
    const made = ['b', 'c', 'd'][keyed.indexOf(1)]
    expect(await agentMadeBy(db, 'once', 'the key')).toEqual({ name: made, version: 1, hash: 'h' })
    expect(await agentMadeBy(db, 'twice', 'the key')).toBeNull()
    expect((await listAgents(db, 'once', { afterName: '', limit: 10 })).items.map(({ name }) => name)).toEqual(['a', made])
    expect(await make('twice', 'b', 'x', command)).toBe(1)
  })

  test('[TRN6] a key that made an agent which was deleted makes no other', async () => {
    const command = { key: 'k', hash: 'h' }
    await make('spent', 'a', 'x', command)
    await deleteAgent(db, 'spent', 'a', 1)
    expect(await make('spent', 'a', 'x', command)).toBeNull()
    expect(await textOf('spent', 'a')).toBeUndefined()
  })
})

describe('lists of agents', () => {
  test('[IDX4] go by name, page by page, without the deleted ones, and read a page’s rows', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `agent-${String(i).padStart(2, '0')}`)
    for (const name of names.toReversed()) await make('list', name)
    for (const name of names.slice(10, 20)) await deleteAgent(db, 'list', name, 1)
    const seen: string[] = []
    for (let page = { items: [{ name: '' }], hasMore: true }; page.hasMore;) {
      page = await listAgents(db, 'list', { afterName: seen.at(-1) ?? '', limit: 7 })
      seen.push(...page.items.map(({ name }) => name))
    }
    expect(seen).toEqual([...names.slice(0, 10), ...names.slice(20)])
    const cost = await costOf((metered) => listAgents(metered, 'list', { afterName: 'agent-09', limit: 5 }))
    expect(cost.rowsWritten).toBe(0)
    expect(cost.rowsRead).toBeLessThanOrEqual(60)
  })

  test('[SEC5] a page ends before it is too large, with at least one agent on it', async () => {
    // 65 of these fit into 4 MiB.
    const names = Array.from({ length: 70 }, (_, i) => `a${i + 100}`)
    for (const name of names) await make('large', name, 'x'.repeat(64_000))
    const page = (afterName: string, limit: number) => listAgents(db, 'large', { afterName, limit })
    const first = await page('', 200)
    expect([first.items.length, first.hasMore]).toEqual([65, true])
    const rest = await page(first.items.at(-1)?.name ?? '', 200)
    expect([...first.items, ...rest.items].map(({ name }) => name)).toEqual(names)
    expect([rest.hasMore, (await page('a164', 5)).hasMore, (await page('a164', 4)).hasMore]).toEqual([false, false, true])
    expect((await page('', 65)).hasMore).toBe(true)
  })
})

let isDown = false
async function takeDown() {
  await db.prepare('alter table agents rename to agents_away').run()
  isDown = true
}
async function bringBack() {
  if (isDown) await db.prepare('alter table agents_away rename to agents').run()
  isDown = false
}
afterEach(bringBack)

describe('what sessions read', () => {
  test('[AGT1] definitions come with their secrets, and the last ones count while the database is down', async () => {
    const secrets = new Map([['server/docs/Authorization', 'Bearer abc']])
    const box = await sealSecrets(env.DORMOUSE_SECRET, { tenant: 'reads', name: 'a' }, secrets)
    const definition = { mcpServers: [{ name: 'docs', url: 'https://example.com/', headers: { Authorization: '***' } }] }
    await createAgent(db, 'reads', 'a', contentOf(definition, box), { at: 1, command: null })
    const definitions = agentDefinitionsOf(env)
    expect(agentDefinitionsOf(env)).toBe(definitions)
    const read = await definitions.read('reads', 'a', null)
    expect(read?.definition.mcpServers?.[0]?.headers).toEqual({ Authorization: 'Bearer abc' })
    await takeDown()
    definitions.forget('reads', 'a')
    expect(await definitions.read('reads', 'a', null)).toBe(read)
    await expect(definitions.read('reads', 'b', null)).rejects.toThrow()
    await bringBack()
    expect(await definitions.read('reads', 'b', null)).toBeNull()
  })

  test('[SEC4] a replaced DORMOUSE_SECRET loses the secrets, and nothing else', async () => {
    const box = await sealSecrets('the old one', { tenant: 'lost', name: 'a' }, new Map([['server/docs/Authorization', 'x']]))
    const definition = {
      instructions: 'hi',
      mcpServers: [{ name: 'docs', url: 'https://example.com/', headers: { Authorization: '***' } }],
    }
    await createAgent(db, 'lost', 'a', contentOf(definition, box), { at: 1, command: null })
    const read = await agentDefinitionsOf(env).read('lost', 'a', null)
    expect(read?.definition).toEqual({ ...definition, mcpServers: [{ name: 'docs', url: 'https://example.com/', headers: {} }] })
  })

  test('[LOG5] reading an agent reads two rows and writes none', async () => {
    await make('cost', 'a')
    expect(await costOf((metered) => readAgent(metered, 'cost', 'a', null))).toMatchObject({ rowsRead: 2, rowsWritten: 0 })
  })
})
