import * as v from 'valibot'
import { expect, it } from 'vitest'
import { demoAgent } from '../../src/agents/demo-agent.ts'
import { createAgentRegistry } from './agent-registry.ts'
import { AgentNameSchema } from '../../src/protocol/session.ts'

const other = { ...demoAgent, name: 'other', window: 9 }
const agents = createAgentRegistry([other, demoAgent], 'demo')
const newest = { version: null, model: null }

it('[AGT1] a registry finds its agents by name, whatever version or model is asked for', async () => {
  expect(agents.defaultName).toBe('demo')
  expect(await agents.resolve('demo', newest)).toBe(demoAgent)
  expect(await agents.resolve('other', { version: '3', model: 'openai/x' })).toBe(other)
  expect(agents.peek('other', null)).toMatchObject({ window: 9, recovery: 'resume' })
})

it('[AGT1] an unknown name finds no agent, nor does one that every object has', async () => {
  for (const name of ['', 'Demo', 'constructor', '__proto__']) {
    expect(await agents.resolve(name, newest)).toBeNull()
    expect(agents.peek(name, null)).toBeNull()
  }
})

it('[AGT1] a registry refuses a doubled name or a default it does not have', () => {
  expect(() => createAgentRegistry([demoAgent, { ...other, name: 'demo' }], 'demo')).toThrow('share a name')
  expect(() => createAgentRegistry([demoAgent], 'other')).toThrow('not registered')
})

it('[DEM2] the demo agent has a name that a request may carry, and goes on after a restart', () => {
  expect(v.is(AgentNameSchema, demoAgent.name)).toBe(true)
  expect(demoAgent).toMatchObject({ window: 32_000, recovery: 'resume' })
})
