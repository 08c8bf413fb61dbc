/**
 * Session tokens: `dt_<claims>.<signature>`, good for one session, one access and a time; a share link or a browser holds
 * one. They verify without a database; the session object compares the epoch, so that revoking ends all of them at once.
 */
import * as v from 'valibot'
import { PrincipalSchema, type Principal } from '../protocol/access.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { decodeBase64url, encodeBase64url, sign, verify } from './signature.ts'

type TokenPrincipal = Extract<Principal, { kind: 'token' }>

const PREFIX = 'dt_'
/** Claims are a few hundred bytes; nothing longer is worth a signature's check. */
const MAX_CHARACTERS = 4096

const utf8 = { encode: new TextEncoder(), decode: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }) }

export async function makeSessionToken(secret: string, principal: TokenPrincipal): Promise<string> {
  const { kind: _, ...claims } = principal
  const encoded = encodeBase64url(utf8.encode.encode(JSON.stringify(claims)))
  return `${PREFIX}${encoded}.${await sign(secret, `token.${encoded}`)}`
}

export async function verifySessionToken(secret: string, token: string, now: number): Promise<Result<TokenPrincipal>> {
  const [encoded, signature, ...rest] = token.slice(PREFIX.length).split('.')
  const isShaped = token.startsWith(PREFIX) && token.length <= MAX_CHARACTERS && rest.length === 0
  if (!isShaped || !encoded || !signature || !(await verify(secret, `token.${encoded}`, signature))) {
    return refuse('unauthorized', 'The session token is not valid.')
  }
  const principal = parseClaims(encoded)
  if (principal === null) return refuse('unauthorized', 'The session token is of another version.')
  if (principal.expiresAt <= now) return refuse('unauthorized', 'The session token has expired.')
  return { ok: true, value: principal }
}

/** The claims behind a good signature are ours, yet maybe of another release: hence parsed like any input. */
function parseClaims(encoded: string): TokenPrincipal | null {
  const bytes = decodeBase64url(encoded)
  if (bytes === null) return null
  const claims: unknown = JSON.parse(utf8.decode.decode(bytes))
  if (typeof claims !== 'object' || claims === null) return null
  const parsed = v.safeParse(PrincipalSchema, { ...claims, kind: 'token' })
  return parsed.success && parsed.output.kind === 'token' ? parsed.output : null
}
