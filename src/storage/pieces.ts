/**
 * Rows have a largest size, and this file owns it. Production refuses a row above 2 MB and local SQLite does not, so
 * storage keeps to 1 MiB of body everywhere: what is larger is cut into pieces, in the bytes of its UTF-8.
 */
import type { SqlValue } from './sql.ts'

export const MAX_BODY_BYTES = 1024 * 1024

/** Text where it fits in one row, so that a person with a SQLite shell can read it; bytes where it was cut. */
export type Body = string | Uint8Array

const encoder = new TextEncoder()

export function split(json: string): Body[] {
  if (fitsUnencoded(json)) return [json]
  const encoded = encoder.encode(json)
  if (encoded.length <= MAX_BODY_BYTES) return [json]
  const pieces: Body[] = []
  for (let start = 0; start < encoded.length; start += MAX_BODY_BYTES) {
    pieces.push(encoded.subarray(start, start + MAX_BODY_BYTES))
  }
  return pieces
}

/** A cut may fall inside a character, so the bytes are decoded as one stream; bytes that are not UTF-8 throw. */
export function join(pieces: Body[]): string {
  const [only] = pieces
  if (pieces.length === 1 && typeof only === 'string') return only
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  let json = ''
  for (const piece of pieces) json += typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true })
  return json + decoder.decode()
}

export function isTooLarge(value: SqlValue): boolean {
  if (typeof value === 'string') return !fitsUnencoded(value) && encoder.encode(value).length > MAX_BODY_BYTES
  return value instanceof Uint8Array && value.length > MAX_BODY_BYTES
}

/** A UTF-16 unit takes three bytes of UTF-8 at most: most text needs no encoding to know that it fits. */
function fitsUnencoded(text: string): boolean {
  return text.length * 3 <= MAX_BODY_BYTES
}
