/** What becomes of an agent that a client sends: the definition to store, or why it cannot be. Nothing here writes. */
import { HIDDEN_SECRET, type AgentDefinition, type UpdateAgent } from '../protocol/agent.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import { openSecrets, resolveSecrets, sealSecrets, type AgentOwner, type Secrets } from '../session-index/agent-secrets.ts'
import type { AgentContent, AgentRecord } from '../session-index/agent-store.ts'
import type { Wiring } from './wiring.ts'

export interface AgentDraft extends AgentContent {
  /** Secrets that were made for it; its answer tells them, and no other. */
  made: Secrets
}

/** The rules of this server, beyond the schema. */
export interface AgentRules {
  env: Env
  wiring: Pick<Wiring, 'definitionProblems' | 'providers'>
}

export async function draftOfNew(rules: AgentRules, owner: AgentOwner, definition: AgentDefinition): Promise<Result<AgentDraft>> {
  return (await problemsOf(rules, definition)) ?? sealed(rules.env, owner, definition, new Map())
}

/** Null: the agent is like that already. */
export async function draftOfUpdate(
  rules: AgentRules,
  owner: AgentOwner,
  current: AgentRecord,
  patch: UpdateAgent,
): Promise<Result<AgentDraft | null>> {
  const definition = patched(current.definition, patch)
  const refused = await problemsOf(rules, definition)
  if (refused) return refused
  // What is sealed need not be opened for a change of anything else, and stays whatever became of DORMOUSE_SECRET.
  const isSealedAnew = patch.tools !== undefined || patch.mcpServers !== undefined
  if (!isSealedAnew) return { ok: true, value: unlessSame(current, { definition, secrets: current.secrets, made: new Map() }) }
  const known = await openSecrets(rules.env.DORMOUSE_SECRET, owner, current.secrets)
  const draft = await sealed(rules.env, owner, definition, known)
  if (!draft.ok || hasNewSecret(patch)) return draft
  return { ok: true, value: unlessSame(current, draft.value) }
}

function patched(definition: AgentDefinition, patch: UpdateAgent): AgentDefinition {
  const merged = Object.entries({ ...definition, ...patch }).filter(([, value]) => value !== null && value !== undefined)
  // Each field is the definition's or the patch's, both parsed; nulls are gone.
  return Object.fromEntries(merged) as AgentDefinition
}

/** Whether the patch brings a secret that is not the one that was kept: one of its own, or none. */
function hasNewSecret({ tools, mcpServers }: UpdateAgent): boolean {
  const ofTools = (tools ?? []).some((tool) => typeof tool !== 'string' && tool.secret !== HIDDEN_SECRET)
  return ofTools || (mcpServers ?? []).some(({ headers = {} }) => Object.values(headers).some((value) => value !== HIDDEN_SECRET))
}

/** Secrets are hidden in both, and were kept. */
function unlessSame(current: AgentRecord, draft: AgentDraft): AgentDraft | null {
  return canonicalJson(draft.definition) === canonicalJson(current.definition) ? null : draft
}

async function sealed(env: Env, owner: AgentOwner, sent: AgentDefinition, known: Secrets | null): Promise<Result<AgentDraft>> {
  const resolved = resolveSecrets(sent, known)
  if (!resolved.ok) return resolved
  const { definition, secrets, made } = resolved.value
  return { ok: true, value: { definition, made, secrets: await sealSecrets(env.DORMOUSE_SECRET, owner, secrets) } }
}

async function problemsOf({ env, wiring }: AgentRules, definition: AgentDefinition) {
  if (jsonBytes(definition) > limits.agentBytes)
    return refuse('invalid_request', `An agent may have ${limits.agentBytes / 1024} KiB at most.`)
  const problems = [...providerProblems(wiring.providers, definition), ...(await wiring.definitionProblems(env)(definition))]
  const [first] = problems
  return first ? refuse('invalid_request', `${first.path}: ${first.message}`, { issues: problems.slice(0, 20) }) : null
}

function providerProblems(providers: readonly string[], { model }: AgentDefinition): { path: string; message: string }[] {
  const [provider = ''] = model?.split('/') ?? []
  if (model === undefined || providers.includes(provider)) return []
  return [{ path: 'model', message: `begins with a provider, one of ${providers.join(', ')}` }]
}

/** The same whatever the order of keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
    return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}
