/**
 * API keys: `dk_<tenant>_<26 characters>_<signature>`. The signature covers scope, tenant and id, so a key verifies without
 * a database (rule SEC6); its scope is the one of three under which the signature is right.
 */
import type { KeyScope, Principal } from '../protocol/access.ts'
import { sign, verify } from './signature.ts'

const KEY = /^dk_([a-z0-9][a-z0-9-]{0,62})_([0-9A-HJKMNP-TV-Z]{26})_([\w-]{43})$/
const scopes: KeyScope[] = ['member', 'admin', 'operator']

interface KeyIdentity {
  /** With its prefix, `key_…`. */
  id: string
  tenant: string
  scope: KeyScope
}

function signedText(identity: KeyIdentity): string {
  return `${identity.scope}.${identity.tenant}.${identity.id}`
}

export async function makeKey(secret: string, identity: KeyIdentity): Promise<string> {
  const signature = await sign(secret, signedText(identity))
  return `dk_${identity.tenant}_${identity.id.slice('key_'.length)}_${signature}`
}

/** Who a key speaks for, or null if it is not one of ours. Whether it was revoked is another question. */
export async function verifyKey(secret: string, key: string): Promise<Extract<Principal, { kind: 'key' }> | null> {
  const [, tenant, characters, signature] = KEY.exec(key) ?? []
  if (tenant === undefined || characters === undefined || signature === undefined) return null
  for (const scope of scopes) {
    const identity = { id: `key_${characters}`, tenant, scope }
    if (await verify(secret, signedText(identity), signature)) return { kind: 'key', ...identity }
  }
  return null
}
