/** Bodies: read within a bound, then parsed once. Nothing of a request reaches a route before it is valid. */
import type * as v from 'valibot'
import { refuse, type Result } from '../protocol/errors.ts'
import { parseJson, parseWith } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'

const JSON_TYPE = /^application\/(json|[\w.+-]+\+json)\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** An empty body stands for `{}`, so that a command without fields needs none. */
export async function readBody<S extends v.GenericSchema>(request: Request, schema: S): Promise<Result<v.InferOutput<S>>> {
  const bytes = await readBounded(request, limits.bodyBytes)
  if (!bytes.ok) return bytes
  if (bytes.value.length === 0) return parseWith(schema, {})
  if (!JSON_TYPE.test(request.headers.get('content-type')?.trim() ?? '')) {
    return refuse('unsupported_media_type', 'Send JSON in UTF-8, with "Content-Type: application/json".')
  }
  const text = decode(bytes.value)
  if (text === null) return refuse('invalid_request', 'The body is not valid UTF-8.')
  const value = parseJson(text)
  return value.ok ? parseWith(schema, value.value) : value
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    return null
  }
}

/** Trusts no Content-Length: a chunked body has none, and stops being read at the bound. */
async function readBounded(request: Request, maxBytes: number): Promise<Result<Uint8Array>> {
  const tooLarge = refuse('payload_too_large', `A body may have ${maxBytes} bytes at most.`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return tooLarge
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > maxBytes) return tooLarge
    chunks.push(chunk)
  }
  return { ok: true, value: concatenate(chunks, length) }
}

function concatenate(chunks: Uint8Array[], length: number): Uint8Array {
  const [only] = chunks
  if (only && chunks.length === 1) return only
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
