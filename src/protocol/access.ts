/**
 * Who asks, and what they may do. Every verb, over HTTP and over sockets, passes `authorize` (rule SEC2): the edge calls
 * it with the route's verb, the session object with the verb of the frame or request.
 */
import * as v from 'valibot'
import type { By } from './by.ts'
import { refuse, type Result } from './errors.ts'
import { SessionIdSchema } from './ids.ts'

/** Each level may do all that the levels before it may. The first three are session tokens, the others keys. */
export const levels = ['read', 'write', 'approve', 'member', 'admin', 'operator'] as const
export type Level = (typeof levels)[number]

export const TokenAccessSchema = v.picklist(['read', 'write', 'approve'])
export type TokenAccess = v.InferOutput<typeof TokenAccessSchema>

export const KeyScopeSchema = v.picklist(['member', 'admin', 'operator'])
export type KeyScope = v.InferOutput<typeof KeyScopeSchema>

/** The least level for each verb: the table of the API contract. */
export const verbLevels = {
  read: 'read',
  attach: 'read',
  search: 'read',
  export: 'read',
  turn: 'write',
  cancel: 'write',
  update: 'write',
  checkpoint: 'write',
  compact: 'write',
  undoCompaction: 'write',
  rewind: 'write',
  unrewind: 'write',
  approve: 'approve',
  configure: 'member',
  create: 'member',
  erase: 'member',
  list: 'member',
  tokens: 'member',
  context: 'member',
  agents: 'member',
  changeAgents: 'admin',
  metrics: 'admin',
  keys: 'admin',
  allKeys: 'operator',
} as const satisfies Record<string, Level>
export type Verb = keyof typeof verbLevels

export const TenantSchema = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9 and -'))

const KeyPrincipalSchema = v.object({
  kind: v.literal('key'),
  id: v.string(),
  name: v.optional(v.string()),
  tenant: TenantSchema,
  scope: KeyScopeSchema,
})

/** `epoch`: seq of the session's latest `tokens.revoked` when the token was made, 0 if none; only the latest epoch is good. */
const TokenPrincipalSchema = v.object({
  kind: v.literal('token'),
  id: v.string(),
  name: v.optional(v.string()),
  tenant: TenantSchema,
  sessionId: SessionIdSchema,
  access: TokenAccessSchema,
  epoch: v.number(),
  expiresAt: v.number(),
})

/** Whoever was authenticated. The tenant is part of the object's name, so nobody can even address another's session. */
export const PrincipalSchema = v.variant('kind', [KeyPrincipalSchema, TokenPrincipalSchema])
export type Principal = v.InferOutput<typeof PrincipalSchema>

export function byOf(principal: Principal): By {
  return { kind: principal.kind, id: principal.id, ...(principal.name !== undefined && { name: principal.name }) }
}

export function levelOf(principal: Principal): Level {
  return principal.kind === 'token' ? principal.access : principal.scope
}

/** Refuses with `forbidden` unless the principal's level reaches the verb's, and a token is used on its own session. */
export function authorize(principal: Principal, verb: Verb, sessionId?: string): Result<null> {
  if (principal.kind === 'token' && principal.sessionId !== sessionId) {
    return refuse('forbidden', 'This token is good for one session only, and not for this request.')
  }
  const level = levelOf(principal)
  if (levels.indexOf(level) >= levels.indexOf(verbLevels[verb])) return { ok: true, value: null }
  return refuse('forbidden', `"${verb}" needs ${verbLevels[verb]} access; these credentials have ${level}.`)
}
