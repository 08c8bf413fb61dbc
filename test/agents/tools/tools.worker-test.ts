/** What may differ between Node and workerd: names and addresses, signatures, expressions, time zones, compiled schemas. */
import { describe, expect, it } from 'vitest'
import { addressGuardOf } from '../../../src/agents/tools/address-guard.ts'
import { agentToolsOf } from '../../../src/agents/tools/agent-tools.ts'
import { definitionProblems } from '../../../src/agents/tools/definition-problems.ts'
import type { HttpTool } from '../../../src/protocol/agent.ts'
import { callOf } from './tool-call.ts'

const weather: HttpTool = {
  type: 'http',
  name: 'weather',
  description: 'Tells it.',
  url: 'https://10.0.0.1/',
  inputSchema: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } },
  secret: `whsec_${btoa('a secret of twenty-four!')}`,
}

async function toolNamed(name: string) {
  const tools = await agentToolsOf({}).of('default', { tools: ['current_time', 'calculate', 'fetch_url', weather] })
  const tool = tools.get(name)
  if (!tool) throw new Error(`No ${name}`)
  return tool
}

describe('tools in workerd', () => {
  it.each([
    ['https://127.1/', 'not a public address'],
    ['https://0x7f000001/', 'not a public address'],
    ['https://[::ffff:10.0.0.1]/', 'not a public address'],
    ['https://name.invalid/', 'The name name.invalid cannot be resolved.'],
    ['http://8.8.8.8/', 'over https only'],
  ])('[TOOL4] %s is refused', async (url, words) => {
    expect(await addressGuardOf({}).refusalOf(new URL(url))).toContain(words)
  })

  it('[TOOL4] a public address passes', async () => {
    expect(await addressGuardOf({}).refusalOf(new URL('https://8.8.8.8/'))).toBeNull()
  })

  it('[TOOL4] no tool reaches a private address', async () => {
    await expect((await toolNamed('weather')).run({ city: 'Bern' }, callOf())).rejects.toThrow('10.0.0.1 is not a public address')
    await expect((await toolNamed('fetch_url')).run({ url: 'https://[::1]/' }, callOf())).rejects.toThrow('[::1] is not a public address')
  })

  it('[TOOL3] inputs are checked, and built-in tools answer', async () => {
    expect((await toolNamed('weather')).problemOf({})).toBe('The input is not valid: city is required.')
    const time = (await toolNamed('current_time')).run({ timeZone: 'Asia/Kathmandu' }, callOf())
    expect((await time).output).toEqual({ time: '2023-11-15T03:58:20+05:45', weekday: 'Wednesday', timeZone: 'Asia/Kathmandu' })
    const utc = await (await toolNamed('current_time')).run({}, callOf())
    expect(utc.output).toMatchObject({ time: '2023-11-14T22:13:20+00:00' })
    expect((await (await toolNamed('calculate')).run({ expression: '2^10 + PI - PI' }, callOf())).output).toEqual({ result: 1024 })
    await expect((await toolNamed('calculate')).run({ expression: 'constructor' }, callOf())).rejects.toThrow('no value named constructor')
  })

  it('[AGT1] definitions are checked', async () => {
    const problems = await definitionProblems({})({ tools: ['nothing', { ...weather, inputSchema: { type: 'string' } }] })
    expect(problems.map(({ path }) => path)).toEqual(['tools.0', 'tools.1.inputSchema', 'tools.1.url'])
  })
})
