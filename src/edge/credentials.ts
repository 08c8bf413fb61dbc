/**
 * From a request to whoever sent it. Credentials come in the Authorization header or, since browsers cannot set headers on
 * a socket, as its subprotocol; never in an address, where logs and histories would keep them (rule SEC4).
 */
import type { Principal } from '../protocol/access.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { BEARER_PROTOCOL_PREFIX } from '../protocol/frame.ts'
import { isRevoked } from '../session-index/key-store.ts'
import { verifyKey } from './key.ts'
import { revocations } from './revocations.ts'
import { verifySessionToken } from './session-token.ts'
import { isSameSecret } from './signature.ts'

/** The operator's key comes from the environment, and is admin of this tenant too. */
export const OPERATOR: Principal = { kind: 'key', id: 'operator', tenant: 'default', scope: 'operator' }

export function isUpgrade(headers: Headers): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'websocket'
}

/** Subprotocols that a socket's client offers. */
export function offeredProtocols(headers: Headers): string[] {
  return (headers.get('sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim())
}

function credentialOf(headers: Headers): string | null {
  const [, bearer] = /^bearer +(\S+)$/i.exec(headers.get('authorization') ?? '') ?? []
  if (bearer !== undefined || !isUpgrade(headers)) return bearer ?? null
  const protocol = offeredProtocols(headers).find((offered) => offered.startsWith(BEARER_PROTOCOL_PREFIX))
  return protocol?.slice(BEARER_PROTOCOL_PREFIX.length) ?? null
}

export async function authenticate(env: Env, headers: Headers): Promise<Result<Principal>> {
  const credential = credentialOf(headers)
  if (!credential) return refuse('unauthorized', 'Send "Authorization: Bearer <key or token>".')
  if (credential.startsWith('dt_')) return verifySessionToken(env.DORMOUSE_SECRET, credential, Date.now())
  // An unset operator key must not become the empty key.
  if (env.DORMOUSE_API_KEY && (await isSameSecret(credential, env.DORMOUSE_API_KEY))) return { ok: true, value: OPERATOR }
  return authenticateKey(env, credential)
}

async function authenticateKey(env: Env, credential: string): Promise<Result<Principal>> {
  const principal = await verifyKey(env.DORMOUSE_SECRET, credential)
  if (principal === null) return refuse('unauthorized', 'The key is not valid.')
  const lookup = async (keyId: string) => (await isRevoked(env.INDEX, keyId)) !== null
  if (await revocations.isRevoked(principal.id, lookup)) return refuse('unauthorized', 'The key was revoked.')
  return { ok: true, value: principal }
}
