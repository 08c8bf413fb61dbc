/** A tool's output as an answer, whole or in ranges. What a tool answered is nobody's page: browsers sandbox it. */
import { refusal, toProblem } from '../protocol/errors.ts'
import { headHeader } from './answer.ts'
import { byteRangeOf, type ByteRange } from './byte-range.ts'

const CONTENT_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

export function outputAnswer(request: Request, ref: string, text: string, head: number): Response {
  const headers = headHeader(head)
  // An output never changes: its name is its tag.
  const tag = `"${ref}"`
  headers.set('etag', tag)
  headers.set('content-security-policy', CONTENT_POLICY)
  if (hasTag(request.headers.get('if-none-match'), tag)) return new Response(null, { status: 304, headers })
  const bytes = new TextEncoder().encode(text)
  headers.set('accept-ranges', 'bytes')
  const range = rangeOf(request, tag, bytes.length)
  if (range === 'unsatisfiable') return unsatisfiable(headers, bytes.length)
  headers.set('content-type', isJson(text) ? 'application/json' : 'text/plain; charset=utf-8')
  return range === null ? whole(bytes, headers) : part(bytes, range, headers)
}

function hasTag(condition: string | null, tag: string): boolean {
  return condition?.trim() === '*' || (condition ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === tag)
}

/** A range counts for GET only, and with `If-Range` only of the very output that the client has a part of. */
function rangeOf({ method, headers }: Request, tag: string, length: number) {
  const condition = headers.get('if-range')?.trim()
  if (method !== 'GET' || (condition !== undefined && condition !== tag)) return null
  return byteRangeOf(headers.get('range'), length)
}

function whole(bytes: Uint8Array, headers: Headers): Response {
  headers.set('content-length', String(bytes.length))
  return new Response(bytes, { headers })
}

function part(bytes: Uint8Array, { first, last }: ByteRange, headers: Headers): Response {
  headers.set('content-range', `bytes ${first}-${last}/${bytes.length}`)
  headers.set('content-length', String(last - first + 1))
  return new Response(bytes.subarray(first, last + 1), { status: 206, headers })
}

function unsatisfiable(headers: Headers, length: number): Response {
  headers.set('content-range', `bytes */${length}`)
  headers.set('content-type', 'application/problem+json')
  const error = refusal('invalid_request', `The output has ${length} bytes, and none in this range.`)
  return new Response(JSON.stringify({ ...toProblem(error), status: 416 }), { status: 416, headers })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
