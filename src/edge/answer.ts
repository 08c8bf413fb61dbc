/** How answers look on the wire: JSON, problem+json, and the headers of every answer about a session. */
import { errorTable, toProblem, type Refusal } from '../protocol/errors.ts'
import type { SessionAnswer, SessionVerb } from '../session/requests.ts'
import { isUnchanged } from './precondition.ts'

/** Seconds to wait before another try, where the refusal does not say. */
const DEFAULT_RETRY_AFTER_SECONDS = 1

export function problem(error: Refusal, head: number | null = null): Response {
  const { status } = errorTable[error.code]
  const headers = headHeader(head)
  headers.set('content-type', 'application/problem+json')
  if (status === 401) headers.set('www-authenticate', 'Bearer')
  if (status === 429) headers.set('retry-after', String(error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_SECONDS))
  return new Response(JSON.stringify(toProblem(error)), { status, headers })
}

export function headHeader(head: number | null): Headers {
  return new Headers(head === null ? {} : { 'dormouse-head': String(head) })
}

/** The answer to a command: its value as JSON with this status, or the problem. */
export function commandAnswer<V extends SessionVerb>(answer: SessionAnswer<V>, status = 200, location?: string): Response {
  if (!answer.ok) return problem(answer.error, answer.head)
  const headers = headHeader(answer.head)
  headers.set('etag', `"${answer.head}"`)
  if (answer.replayed) headers.set('idempotent-replayed', 'true')
  if (location !== undefined) headers.set('location', location)
  return status === 204 ? new Response(null, { status, headers }) : Response.json(answer.value, { status, headers })
}

/** The answer to a read: 304 when the client already has this head. */
export function readAnswer<V extends SessionVerb>(request: Request, answer: SessionAnswer<V>): Response {
  if (!answer.ok || !isUnchanged(request.headers, answer.head)) return commandAnswer(answer)
  const headers = headHeader(answer.head)
  headers.set('etag', `"${answer.head}"`)
  return new Response(null, { status: 304, headers })
}

export function acceptsEventStream(request: Request): boolean {
  // The body of an answer to HEAD is thrown away: nothing must be streamed into it.
  if (request.method === 'HEAD') return false
  return /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(request.headers.get('accept') ?? '')
}
