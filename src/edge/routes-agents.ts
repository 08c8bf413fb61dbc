/** Agents as configuration: those that come with the server are read only, a tenant's own are made, changed and deleted here. */
import { AgentSchema, CreateAgentSchema, UpdateAgentSchema } from '../protocol/agent.ts'
import { AgentPageSchema, json, nothing } from './answer-schemas.ts'
import { ListAgentsQuery, NoQuery } from './query.ts'
import { route, type Route } from './route.ts'
import type { Wiring } from './wiring.ts'

function listAllAgents(wiring: Wiring): Route {
  return route({
    method: 'get',
    path: '/v1/agents',
    verb: 'agents',
    summary: 'List the agents that can answer',
    query: ListAgentsQuery,
    body: null,
    answers: { 200: json('The default first, then others that come with the server, then your own by name.', AgentPageSchema) },
    handle: async (call) => (await import('./agent-answers.ts')).listAgentsAnswer(wiring, call),
  })
}

function getAgent(wiring: Wiring): Route {
  return route({
    method: 'get',
    path: '/v1/agents/:name',
    verb: 'agents',
    summary: 'Read an agent',
    query: NoQuery,
    body: null,
    answers: { 200: json('The agent in its newest version; `***` stands for secrets.', AgentSchema) },
    handle: async (call) => (await import('./agent-answers.ts')).getAgentAnswer(wiring, call),
  })
}

function createOne(wiring: Wiring): Route {
  return route({
    method: 'post',
    path: '/v1/agents',
    verb: 'changeAgents',
    summary: 'Define an agent',
    query: NoQuery,
    body: CreateAgentSchema,
    answers: { 201: json('The agent. Secrets that were made for it are shown this once.', AgentSchema) },
    handle: async (call) => (await import('./agent-answers.ts')).createAgentAnswer(wiring, call),
  })
}

function updateOne(wiring: Wiring): Route {
  return route({
    method: 'patch',
    path: '/v1/agents/:name',
    verb: 'changeAgents',
    summary: 'Change an agent; it takes effect at the next turn',
    query: NoQuery,
    body: UpdateAgentSchema,
    answers: { 200: json('The agent in its new version. Secrets that were made for it are shown this once.', AgentSchema) },
    handle: async (call) => (await import('./agent-answers.ts')).updateAgentAnswer(wiring, call),
  })
}

function deleteOne(wiring: Wiring): Route {
  return route({
    method: 'delete',
    path: '/v1/agents/:name',
    verb: 'changeAgents',
    summary: 'Delete an agent',
    query: NoQuery,
    body: null,
    answers: {
      204: nothing('Deleted. Turns that began with it end with it; later ones of its sessions fail until they have another agent.'),
    },
    handle: async (call) => (await import('./agent-answers.ts')).deleteAgentAnswer(wiring, call),
  })
}

export function agentRoutes(wiring: Wiring): Route[] {
  return [listAllAgents, createOne, getAgent, updateOne, deleteOne].map((make) => make(wiring))
}
