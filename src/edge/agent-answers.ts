/** What becomes of a request about agents. Loaded when there is one, which most isolates never see. */
import type { AgentView, CreateAgent, UpdateAgent } from '../protocol/agent.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { agentDefinitionsOf } from '../session-index/agent-definitions.ts'
import { madeOf, openSecrets, withMade } from '../session-index/agent-secrets.ts'
import {
  agentMadeBy,
  createAgent,
  deleteAgent,
  listAgents,
  readAgent,
  updateAgent,
  type AgentRecord,
  type ListedAgent,
} from '../session-index/agent-store.ts'
import { decodeCursor, encodeCursor } from '../session-index/page-cursor.ts'
import { canonicalJson, draftOfNew, draftOfUpdate, type AgentRules } from './agent-draft.ts'
import { problem } from './answer.ts'
import { expectedHead, isUnchanged } from './precondition.ts'
import type { Call } from './route.ts'
import { sign } from './signature.ts'
import type { Wiring } from './wiring.ts'

type PageQuery = { limit: number; cursor?: string | undefined }

/** Tries of a change that met another one; more do not happen but to a program that loops. */
const UPDATE_TRIES = 5

function viewOf(wiring: Wiring, env: Env, { name, version, definition, createdAt, updatedAt }: ListedAgent): AgentView {
  const { description = '', model = null, ...rest } = definition
  const window = wiring.windowOf(env)(model, definition.window)
  return { name, version, builtIn: false, default: false, ...rest, description, model, window, createdAt, updatedAt }
}

function agentAnswer(agent: AgentView, status = 200, headers: Record<string, string> = {}): Response {
  const etag: Record<string, string> = agent.version === null ? {} : { etag: `"${agent.version}"` }
  return Response.json(agent, { status, headers: { ...etag, ...headers } })
}

function notThere(name: string): Response {
  return problem(refuse('not_found', `There is no agent named ${name}.`).error)
}

/** A name that comes with the server, in a path that would change it. */
function refuseReserved(wiring: Wiring, name: string) {
  if (!wiring.reservedNames.includes(name)) return null
  const message = 'is the name of an agent that comes with the server, and cannot be changed'
  return problem(refuse('invalid_request', `name: ${message}`, { issues: [{ path: 'name', message }] }).error)
}

const agentsScope = (tenant: string) => ['agents', tenant]

/** Built-in ones come first; a cursor counts those that were given, and holds the last name of the tenant's own. */
async function pageOf(wiring: Wiring, call: Call<PageQuery, null>) {
  const { env, principal, query } = call
  const scope = agentsScope(principal.tenant)
  const from = query.cursor === undefined ? { ok: true as const, value: { at: 0, id: '' } } : await decodeCursor(query.cursor, scope)
  if (!from.ok) return from
  const all = wiring.builtInAgents(env)
  const builtIn = all.slice(from.value.at, from.value.at + query.limit)
  const own = await listAgents(env.INDEX, principal.tenant, { afterName: from.value.id, limit: query.limit - builtIn.length })
  const place = { at: from.value.at + builtIn.length, id: own.items.at(-1)?.name ?? from.value.id }
  const next = own.hasMore || place.at < all.length ? await encodeCursor(place, scope) : null
  return { ok: true as const, value: { items: [...builtIn, ...own.items.map((agent) => viewOf(wiring, env, agent))], next } }
}

export async function listAgentsAnswer(wiring: Wiring, call: Call<PageQuery, null>): Promise<Response> {
  const page = await pageOf(wiring, call)
  return page.ok ? Response.json(page.value) : problem(page.error)
}

export async function getAgentAnswer(wiring: Wiring, { env, principal, params, request }: Call<unknown, null>): Promise<Response> {
  const name = params['name'] ?? ''
  const builtIn = wiring.builtInAgents(env).find((agent) => agent.name === name)
  if (builtIn) return agentAnswer(builtIn)
  const record = wiring.reservedNames.includes(name) ? null : await readAgent(env.INDEX, principal.tenant, name, null)
  if (record === null) return notThere(name)
  if (!isUnchanged(request.headers, record.version)) return agentAnswer(viewOf(wiring, env, record))
  return new Response(null, { status: 304, headers: { etag: `"${record.version}"` } })
}

export async function createAgentAnswer(wiring: Wiring, call: Call<unknown, CreateAgent>): Promise<Response> {
  const { env, principal } = call
  const { tenant } = principal
  const { name, ...sent } = call.body
  const reserved = refuseReserved(wiring, name)
  if (reserved) return reserved
  const draft = await draftOfNew({ env, wiring }, { tenant, name }, sent)
  if (!draft.ok) return problem(draft.error)
  const command = call.key === null ? null : { key: call.key, hash: await hashOf(env, call.body) }
  const at = Date.now()
  const version = await createAgent(env.INDEX, tenant, name, draft.value, { at, command })
  if (version === null) return notCreated(wiring, call, command?.hash ?? null)
  agentDefinitionsOf(env).forget(tenant, name)
  const definition = withMade(draft.value.definition, draft.value.made)
  return created(viewOf(wiring, env, { name, version, definition, createdAt: at, updatedAt: at }))
}

/** Keyed, since a body may hold a secret that is easy to guess. */
function hashOf(env: Env, body: CreateAgent): Promise<string> {
  return sign(env.DORMOUSE_SECRET, `agent.${canonicalJson(body)}`)
}

function created(agent: AgentView, isReplayed = false): Response {
  return agentAnswer(agent, 201, { location: `/v1/agents/${agent.name}`, ...(isReplayed && { 'idempotent-replayed': 'true' }) })
}

/** The command met what it had made before, or a name that is taken. */
async function notCreated(
  wiring: Wiring,
  { env, principal, key, body }: Call<unknown, CreateAgent>,
  hash: string | null,
): Promise<Response> {
  const { tenant } = principal
  const made = key === null ? null : await agentMadeBy(env.INDEX, tenant, key)
  if (made === null) {
    const message = 'is taken: a name holds one agent, which PATCH changes'
    return problem(refuse('already_exists', `name: ${message}`, { issues: [{ path: 'name', message }] }).error)
  }
  if (made.hash !== hash) return problem(refuse('idempotency_conflict', 'This Idempotency-Key made another agent before.').error)
  const record = await readAgent(env.INDEX, tenant, made.name, null)
  if (record === null) return problem(refuse('not_found', `The agent ${made.name} was deleted since.`).error)
  // Whoever repeats a command may not have had its answer, which was the one to tell the secrets that were made.
  const definition = record.version === made.version ? await withMadeFor(env, tenant, record, body) : record.definition
  return created(viewOf(wiring, env, { ...record, definition }), true)
}

async function withMadeFor(env: Env, tenant: string, { name, definition, secrets: box }: AgentRecord, sent: CreateAgent) {
  const secrets = await openSecrets(env.DORMOUSE_SECRET, { tenant, name }, box)
  return secrets === null ? definition : withMade(definition, madeOf(sent, secrets))
}

export async function updateAgentAnswer(wiring: Wiring, call: Call<unknown, UpdateAgent>): Promise<Response> {
  const reserved = refuseReserved(wiring, call.params['name'] ?? '')
  if (reserved) return reserved
  const ifMatch = expectedHead(call.request.headers)
  if (!ifMatch.ok) return problem(ifMatch.error)
  const changed = await change({ env: call.env, wiring }, call, ifMatch.value)
  return changed.ok ? agentAnswer(viewOf(wiring, call.env, changed.value)) : problem(changed.error)
}

/** Decides on the newest version and writes on it; if another change came between, decides again. */
async function change(rules: AgentRules, call: Call<unknown, UpdateAgent>, ifMatch: number | null): Promise<Result<ListedAgent>> {
  const { env, principal, params, body } = call
  const owner = { tenant: principal.tenant, name: params['name'] ?? '' }
  for (let tries = 0; tries < UPDATE_TRIES; tries++) {
    const current = await readAgent(env.INDEX, owner.tenant, owner.name, null)
    if (current === null) return refuse('not_found', `There is no agent named ${owner.name}.`)
    if (ifMatch !== null && ifMatch !== current.version) return refuse('precondition_failed', `The agent is at version ${current.version}.`)
    const draft = await draftOfUpdate(rules, owner, current, body)
    if (!draft.ok) return draft
    if (draft.value === null) return { ok: true, value: current }
    const at = Date.now()
    const version = await updateAgent(env.INDEX, owner.tenant, current, draft.value, at)
    if (version === null) continue
    agentDefinitionsOf(env).forget(owner.tenant, owner.name)
    return { ok: true, value: { ...current, version, definition: withMade(draft.value.definition, draft.value.made), updatedAt: at } }
  }
  return refuse('busy', 'The agent is being changed by others all the time.')
}

export async function deleteAgentAnswer(wiring: Wiring, { env, principal, params }: Call<unknown, null>): Promise<Response> {
  const name = params['name'] ?? ''
  const reserved = refuseReserved(wiring, name)
  if (reserved) return reserved
  if (!(await deleteAgent(env.INDEX, principal.tenant, name, Date.now()))) return notThere(name)
  agentDefinitionsOf(env).forget(principal.tenant, name)
  return new Response(null, { status: 204 })
}
