/**
 * Secrets at rest: AES-256-GCM under a key that HKDF derives from DORMOUSE_SECRET (RFC 5869). Every box has a random IV of its
 * own, and is bound to a context: a box that was carried over to another agent's row does not open. Who replaces
 * DORMOUSE_SECRET loses what is in the boxes, and nothing else.
 */
const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() }

/** What the key is for, so that nothing else derived from the secret can be it. */
const PURPOSE = utf8.encode.encode('dormouse agent secrets, AES-256-GCM')

/** NIST SP 800-38D recommends 96 bits. */
const IV_BYTES = 12

/** Tells how a box was made, should it ever be made differently. */
const PREFIX = 'v1.'

/** The derived key of the newest secret. A value, not a promise: a promise must not be awaited by two requests of an isolate. */
let derived: { secret: string; key: CryptoKey } | null = null

async function keyOf(secret: string): Promise<CryptoKey> {
  if (derived?.secret === secret) return derived.key
  const material = await crypto.subtle.importKey('raw', utf8.encode.encode(secret), 'HKDF', false, ['deriveKey'])
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: PURPOSE }
  const key = await crypto.subtle.deriveKey(hkdf, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  derived = { secret, key }
  return key
}

/** Throws without a master secret: what anybody could open must not be stored. */
export async function sealText(masterSecret: string, context: string, text: string): Promise<string> {
  if (masterSecret === '') throw new Error('DORMOUSE_SECRET is empty: secrets of agents cannot be stored')
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const sealed = await crypto.subtle.encrypt(gcm(iv, context), await keyOf(masterSecret), utf8.encode.encode(text))
  return PREFIX + encodeBase64(iv) + encodeBase64(new Uint8Array(sealed))
}

/** Null: it was sealed with another secret or for another context, or it is damaged. */
export async function openText(masterSecret: string, context: string, box: string): Promise<string | null> {
  if (masterSecret === '' || !box.startsWith(PREFIX)) return null
  try {
    const bytes = decodeBase64(box.slice(PREFIX.length))
    const opened = await crypto.subtle.decrypt(
      gcm(bytes.subarray(0, IV_BYTES), context),
      await keyOf(masterSecret),
      bytes.subarray(IV_BYTES),
    )
    return utf8.decode.decode(opened)
  } catch {
    // Neither atob nor decrypt tells what was wrong, and it is nothing that a caller could do better about.
    return null
  }
}

function gcm(iv: Uint8Array<ArrayBuffer>, context: string) {
  return { name: 'AES-GCM', iv, additionalData: utf8.encode.encode(context) }
}

/** The IV is a multiple of three bytes, so that its text and the rest's are one text of base64. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
