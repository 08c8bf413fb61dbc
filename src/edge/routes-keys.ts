/** API keys. A key is shown once; the database holds its name and whether it was revoked, never the key. */
import type { Principal, Verb } from '../protocol/access.ts'
import { CreateKeySchema } from '../protocol/body.ts'
import { refuse } from '../protocol/errors.ts'
import { ID_BYTES, idFromBytes } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { insertKey, listKeys, revokeKey, type KeyRecord } from '../session-index/key-store.ts'
import { problem } from './answer.ts'
import { json, KeyPageSchema, NewKeySchema, nothing } from './answer-schemas.ts'
import { makeKey } from './key.ts'
import { ListKeysQuery, NoQuery } from './query.ts'
import { revocations } from './revocations.ts'
import { route } from './route.ts'
import { digest } from './signature.ts'

/** Keys of another tenant, and keys that can make those, are the operator's. */
function beyondTenant(principal: Principal, tenant: string | undefined, scope?: string): Verb | null {
  return (tenant ?? principal.tenant) !== principal.tenant || scope === 'operator' ? 'allKeys' : null
}

/** With an idempotency key the id follows from it and the caller's tenant, so that a repeat meets the key it made. */
async function newKeyId(callerTenant: string, key: string | null): Promise<string> {
  if (key === null) return idFromBytes('key', crypto.getRandomValues(new Uint8Array(ID_BYTES)))
  return idFromBytes('key', await digest(JSON.stringify(['key', callerTenant, key])))
}

const createKey = route({
  method: 'post',
  path: '/v1/keys',
  verb: 'keys',
  summary: 'Make an API key',
  query: NoQuery,
  body: CreateKeySchema,
  alsoNeeds: (_query, { tenant, scope }, principal) => beyondTenant(principal, tenant, scope),
  answers: { 201: json('The key, shown this once.', NewKeySchema) },
  async handle({ env, principal, key: idempotencyKey, body }) {
    const { name, scope, tenant = principal.tenant } = body
    const id = await newKeyId(principal.tenant, idempotencyKey)
    const wanted = { id, name, scope, tenant, createdAt: Date.now() }
    const isNew = await insertKey(env.INDEX, wanted)
    const stored = isNew ? wanted : await findKey(env.INDEX, tenant, id)
    if (stored?.name !== name || stored.scope !== scope) {
      return problem(refuse('idempotency_conflict', 'This Idempotency-Key made another key before.').error)
    }
    const key = await makeKey(env.DORMOUSE_SECRET, { id, tenant, scope })
    const headers: Record<string, string> = isNew ? {} : { 'idempotent-replayed': 'true' }
    return Response.json({ id, name, scope, tenant, createdAt: stored.createdAt, key }, { status: 201, headers })
  },
})

/** Looks through a tenant's keys, which only a repeated command has to. */
async function findKey(db: D1Database, tenant: string, id: string): Promise<Omit<KeyRecord, 'revokedAt'> | null> {
  for (let cursor: string | null = null; ;) {
    const page = await listKeys(db, tenant, { limit: limits.pageItems, cursor })
    if (!page.ok) return null
    const found = page.value.items.find((record) => record.id === id)
    if (found || page.value.next === null) return found ?? null
    cursor = page.value.next
  }
}

const listAllKeys = route({
  method: 'get',
  path: '/v1/keys',
  verb: 'keys',
  summary: 'List API keys, newest first',
  query: ListKeysQuery,
  body: null,
  alsoNeeds: ({ tenant }, _body, principal) => beyondTenant(principal, tenant),
  answers: { 200: json('A page; revoked keys stand in it too.', KeyPageSchema) },
  async handle({ env, principal, query }) {
    const { limit, cursor = null, tenant = principal.tenant } = query
    const page = await listKeys(env.INDEX, tenant, { limit, cursor })
    return page.ok ? Response.json(page.value) : problem(page.error)
  },
})

const deleteKey = route({
  method: 'delete',
  path: '/v1/keys/:keyId',
  verb: 'keys',
  summary: 'Revoke an API key',
  query: NoQuery,
  body: null,
  answers: { 204: nothing('Revoked. It takes effect everywhere within ten seconds.') },
  async handle({ env, principal, params }) {
    const keyId = params['keyId'] ?? ''
    const isOperator = principal.kind === 'key' && principal.scope === 'operator'
    const wasThere = await revokeKey(env.INDEX, isOperator ? null : principal.tenant, keyId, Date.now())
    if (!wasThere) return problem(refuse('not_found', 'There is no such key.').error)
    revocations.forget(keyId)
    return new Response(null, { status: 204 })
  },
})

export const keyRoutes = [createKey, listAllKeys, deleteKey]
