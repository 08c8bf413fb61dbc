import * as v from 'valibot'
import { expect, it } from 'vitest'
import { demoAgent } from '../../src/agents/demo-agent.ts'
import { agents, createAgentRegistry } from '../../src/agents/registry.ts'
import { AgentNameSchema } from '../../src/protocol/session.ts'

it('[DEM2] the demo agent answers sessions that name no agent', () => {
  expect(agents.defaultName).toBe('demo')
  expect(agents.get(agents.defaultName)).toBe(demoAgent)
  expect(agents.list()).toEqual([demoAgent])
  expect(demoAgent).toMatchObject({ window: 32_000, recovery: 'resume' })
})

it('[DEM2] every registered name is one that a request may carry', () => {
  for (const { name } of agents.list()) expect(v.is(AgentNameSchema, name)).toBe(true)
})

it('[DEM2] an unknown name finds no agent, nor does one that every object has', () => {
  for (const name of ['', 'Demo', 'constructor', '__proto__']) expect(agents.get(name)).toBeNull()
})

it('[DEM2] a registry lists its agents in order, and refuses a doubled name or a default it does not have', () => {
  const other = { ...demoAgent, name: 'other' }
  expect(createAgentRegistry([other, demoAgent], 'demo').list()).toEqual([other, demoAgent])
  expect(() => createAgentRegistry([demoAgent, { ...other, name: 'demo' }], 'demo')).toThrow('share a name')
  expect(() => createAgentRegistry([demoAgent], 'other')).toThrow('not registered')
})
