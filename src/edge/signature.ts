/**
 * HMAC-SHA256 signatures of keys and session tokens, and comparisons that take the same time wherever they differ.
 * What is signed begins with what it is (`member.`, `token.` …), so that no signature can be used for something else.
 */
const utf8 = new TextEncoder()

/** The imported key of the newest secret. A value, not a promise: a promise must not be awaited by two requests of an isolate. */
let imported: { secret: string; key: CryptoKey } | null = null

async function keyOf(secret: string): Promise<CryptoKey> {
  if (imported?.secret === secret) return imported.key
  if (secret === '') throw new Error('DORMOUSE_SECRET is empty: keys and tokens can be neither made nor checked')
  const key = await crypto.subtle.importKey('raw', utf8.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  imported = { secret, key }
  return key
}

/** The signature of a text, in base64url. */
export async function sign(secret: string, text: string): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', await keyOf(secret), utf8.encode(text))
  return encodeBase64url(new Uint8Array(mac))
}

/** Whether the signature is the text's. No secret, no valid signature. */
export async function verify(secret: string, text: string, signature: string): Promise<boolean> {
  const mac = decodeBase64url(signature)
  if (mac === null || secret === '') return false
  return crypto.subtle.verify('HMAC', await keyOf(secret), mac, utf8.encode(text))
}

/** Compares two secrets by their digests, so that neither their length nor the place of the first difference shows in time. */
export async function isSameSecret(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([digest(one), digest(other)])
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** SHA-256 of a text's UTF-8. */
export async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text)))
}

export function encodeBase64url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Null unless the text is exactly how `encodeBase64url` writes some bytes: a second spelling of a token would be another token. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) return null
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  return encodeBase64url(bytes) === text ? bytes : null
}
