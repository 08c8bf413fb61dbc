import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { agentToolsOf, allBuiltInTools } from '../../../src/agents/tools/agent-tools.ts'
import { builtInNames } from '../../../src/agents/tools/built-in-names.ts'
import type { AgentDefinition, HttpTool } from '../../../src/protocol/agent.ts'
import { root } from '../../architecture/source-files.ts'

const weather: HttpTool = {
  type: 'http',
  name: 'weather',
  description: 'Tells it.',
  url: 'https://hooks.example/',
  inputSchema: { type: 'object' },
}
const namesOf = async (definition: AgentDefinition) => [...(await agentToolsOf({}).of('default', definition)).keys()]

/** Which modules a process loads for a piece of code, by their place below the root. */
function modulesOf(code: string): string[] {
  const watch = `import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) })`
  const run = spawnSync(
    process.execPath,
    ['--no-warnings', '--import', `data:text/javascript,${encodeURIComponent(watch)}`, '--input-type=module', '-e', code],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  expect(run.stderr).toBe('')
  const base = `file://${root}/`
  return run.stdout.split('\n').flatMap((line) => (line.startsWith(base) ? [line.slice(base.length)] : []))
}

describe('the tools of an agent', () => {
  it('[AGT1] are those that its definition names, in its order', async () => {
    expect(await namesOf({ tools: ['notes', weather, 'calculate'] })).toEqual(['notes', 'weather', 'calculate'])
    expect(await namesOf({})).toEqual([])
    expect(await namesOf({ tools: ['calculate', 'gone_since', { ...weather, name: 'calculate' }] })).toEqual(['calculate'])
  })

  it('[AGT1] a set is made once for a definition, and anew for a changed one', async () => {
    const tools = agentToolsOf({})
    const definition: AgentDefinition = { tools: ['calculate', weather] }
    const [first, again] = [await tools.of('default', definition), await tools.of('default', definition)]
    expect(again).toBe(first)
    const changed = await tools.of('default', { ...definition, tools: [weather] })
    expect([...changed.keys()]).toEqual(['weather'])
  })

  it('[AGT1] one for the whole isolate, for as long as its configuration is the same', () => {
    expect(agentToolsOf({})).toBe(agentToolsOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: '' }))
    expect(agentToolsOf({})).not.toBe(agentToolsOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: 'localhost:1' }))
  })

  it('[AGT1] an MCP server that is down leaves its tools out', async () => {
    const mcpServers = [{ name: 'down', url: 'https://10.0.0.1/mcp' }]
    expect(await namesOf({ tools: ['calculate'], mcpServers })).toEqual(['calculate'])
  })

  it('[AGT1] an agent without a definition can have every built-in one', async () => {
    expect([...(await allBuiltInTools()).keys()]).toEqual([...builtInNames])
  })

  it('[AGT2] nothing that tools are made of is loaded before an agent has one', () => {
    const begin = modulesOf(`
      const { agentToolsOf } = await import('./src/agents/tools/agent-tools.ts')
      const { definitionProblems } = await import('./src/agents/tools/definition-problems.ts')
      await agentToolsOf({}).of('default', {})
      await definitionProblems({})({ tools: ['calculate'] })`)
    expect(begin).toContain('src/agents/tools/agent-tools.ts')
    expect(begin.filter((module) => path.dirname(module) !== 'src/agents/tools')).toEqual([])
    const few = ['address-guard.ts', 'agent-tools.ts', 'built-in-names.ts', 'definition-problems.ts', 'tool.ts']
    expect(few).toEqual(expect.arrayContaining(begin.map((module) => path.basename(module))))
  })

  it('[AGT2] each kind of tool loads what it needs', () => {
    const packagesOf = (tools: string) => {
      const modules = modulesOf(`
        const { agentToolsOf } = await import('./src/agents/tools/agent-tools.ts')
        await agentToolsOf({}).of('default', { tools: ${tools} })`)
      const names = modules.flatMap((module) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module)?.[1] ?? [])
      return new Set(names)
    }
    expect(packagesOf('["calculate"]')).toEqual(new Set(['@valibot/to-json-schema', 'fparser', 'valibot']))
    expect(packagesOf(JSON.stringify([weather]))).toEqual(new Set(['@cfworker/json-schema', 'valibot']))
  })
})
