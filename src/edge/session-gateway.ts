/**
 * The one way from the edge to session objects. It addresses them by tenant and id, and asks again with a fresh stub when
 * the platform says that a call is worth it (a deploy, a moved object). That is safe because every command carries an
 * idempotency key: the client's, or one made here.
 */
import type { Principal } from '../protocol/access.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import {
  ATTACH_HEADER,
  objectName,
  type AttachRequest,
  type SessionAnswer,
  type SessionRequest,
  type SessionVerb,
  type SessionVerbs,
} from '../session/requests.ts'

/** Who asks which session, on behalf of which request. */
export interface Asker {
  env: Env
  principal: Principal
  requestId: string
  sessionId: string
  /** The client's idempotency key. */
  key: string | null
}

const commands: ReadonlySet<SessionVerb> = new Set([
  'create',
  'update',
  'erase',
  'submitTurn',
  'cancelTurn',
  'answerApproval',
  'revokeTokens',
])

/** Longest waits before the second and the third try. */
const RETRY_WAITS_MS = [100, 400]

/** Makes a key that no client can send: theirs are printable ASCII. */
function internalKey(): string {
  return `\u00a7${crypto.randomUUID()}`
}

/** Asks one session for one thing. A refusal is an answer; what the platform could not deliver throws. */
export async function ask<V extends SessionVerb>(asker: Asker, verb: V, args: SessionVerbs[V]['args']): Promise<SessionAnswer<V>> {
  const { principal, requestId, sessionId } = asker
  const who = { principal, requestId, tenant: principal.tenant, sessionId }
  const key = commands.has(verb) ? { key: asker.key ?? internalKey() } : {}
  // A generic verb and its arguments are one member of the union, which TypeScript cannot see.
  const request = { ...who, ...key, verb, args } as unknown as SessionRequest
  const answer = await withRetries(async () => (await stubOf(asker).perform(request)) as SessionAnswer<V>)
  return answer.ok ? answer.value : { ...answer, head: null }
}

/** Attaches to a session: the answer to an upgrade, with its socket. */
export function attach(asker: Asker, after: number | null, subprotocol: string | null): Promise<Result<Response>> {
  const { principal, requestId, sessionId } = asker
  const request: AttachRequest = { tenant: principal.tenant, sessionId, principal, requestId, after, subprotocol }
  const headers = { upgrade: 'websocket', [ATTACH_HEADER]: asciiJson(request) }
  return withRetries(() => stubOf(asker).fetch('https://session.internal/', { headers }))
}

/** A session object as the edge sees it. What crosses is plain data; the platform's types lose it at the first `unknown`. */
interface SessionStub {
  perform(request: SessionRequest): Promise<SessionAnswer>
  fetch(address: string, init: RequestInit): Promise<Response>
}

function stubOf({ env, principal, sessionId }: Asker): SessionStub {
  const stub: object = env.SESSIONS.getByName(objectName(principal.tenant, sessionId))
  return stub as SessionStub
}

/** Header values are Latin-1, names are not. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

async function withRetries<T>(attempt: () => Promise<T>): Promise<Result<T>> {
  for (let tries = 0; ; tries++) {
    try {
      return { ok: true, value: await attempt() }
    } catch (error) {
      if (isMarked(error, 'overloaded')) return refuse('rate_limited', 'The session has more requests than it can serve.')
      const waitMs = RETRY_WAITS_MS[tries]
      if (waitMs === undefined || !isMarked(error, 'retryable')) throw error
      await scheduler.wait(waitMs * (0.5 + Math.random() / 2))
    }
  }
}

/** How the platform qualifies its errors: https://developers.cloudflare.com/durable-objects/best-practices/error-handling/ */
function isMarked(error: unknown, mark: 'overloaded' | 'retryable'): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, mark) === true
}
