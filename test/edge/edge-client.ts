/** A client of the edge as the tests run it: requests go through the worker's own `fetch`, credentials are signed as the server signs them. */
import { env, exports } from 'cloudflare:workers'
import type { KeyScope, TokenAccess } from '../../src/protocol/access.ts'
import { ID_BYTES, idFromBytes } from '../../src/protocol/ids.ts'
import { makeKey } from '../../src/edge/key.ts'
import { makeSessionToken } from '../../src/edge/session-token.ts'

export const ORIGIN = 'https://dormouse.test'
export const OPERATOR_KEY = 'operator-key-of-the-tests'
export const DAY_MS = 86_400_000

export interface CallOptions {
  /** Null: none. */
  credential?: string | null
  /** A string is sent as it is. */
  body?: unknown
  headers?: Record<string, string>
}

export function requestOf(method: string, path: string, { credential = OPERATOR_KEY, body, headers = {} }: CallOptions = {}): Request {
  const sent = new Headers(headers)
  if (credential !== null) sent.set('authorization', `Bearer ${credential}`)
  if (body !== undefined && !sent.has('content-type')) sent.set('content-type', 'application/json')
  const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
  return new Request(`${ORIGIN}${path}`, { method, headers: sent, body: text, redirect: 'manual' })
}

export function call(method: string, path: string, options?: CallOptions): Promise<Response> {
  return exports.default.fetch(requestOf(method, path, options))
}

/** The answer's JSON; a test says what it expects of it. */
export async function callJson<T>(method: string, path: string, options?: CallOptions): Promise<{ response: Response; json: T }> {
  const response = await call(method, path, options)
  return { response, json: (await response.json()) as T }
}

export function newSessionId(): string {
  return idFromBytes('ses', crypto.getRandomValues(new Uint8Array(ID_BYTES)))
}

export function newKeyId(): string {
  return idFromBytes('key', crypto.getRandomValues(new Uint8Array(ID_BYTES)))
}

export function keyOf(scope: KeyScope, tenant = 'default'): Promise<string> {
  return makeKey(env.DORMOUSE_SECRET, { id: newKeyId(), tenant, scope })
}

export interface TokenOptions {
  sessionId: string
  access: TokenAccess
  tenant?: string
  expiresAt?: number
  secret?: string
}

export function tokenOf({ sessionId, access, tenant = 'default', expiresAt = Date.now() + DAY_MS, secret }: TokenOptions): Promise<string> {
  return makeSessionToken(secret ?? env.DORMOUSE_SECRET, {
    kind: 'token',
    id: 'tok_00000000000000000000000000',
    tenant,
    sessionId,
    access,
    epoch: 0,
    expiresAt,
  })
}

export interface ProblemJson {
  type: string
  status: number
  code: string
  retryable: boolean
  issues?: { path: string; message: string }[]
}

export interface SessionJson {
  id: string
  head: number
  title: string | null
  instructions?: string | null
}

export async function createSession(body: unknown = {}): Promise<SessionJson> {
  const { response, json } = await callJson<SessionJson>('POST', '/v1/sessions', { body })
  if (response.status !== 201) throw new Error(`creating a session answered ${response.status}`)
  return json
}

export async function readSession(id: string): Promise<SessionJson> {
  return (await callJson<SessionJson>('GET', `/v1/sessions/${id}`)).json
}

/** An event of a stream: its type, its id if it has one, and its frame. */
export interface SseEvent {
  type: string
  id: string | null
  frame: { event?: { seq: number; type: string; turnId?: string }; [field: string]: unknown }
}

/** Reads a stream's events until one satisfies `isLast`, or to its end. Comments are passed over. */
export async function readEvents(response: Response, isLast: (event: SseEvent) => boolean = () => false): Promise<SseEvent[]> {
  const events: SseEvent[] = []
  let text = ''
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return events
    text += value
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const event of blocks.filter((block) => !block.startsWith(':')).map(parseBlock)) {
      events.push(event)
      if (!isLast(event)) continue
      await reader.cancel()
      return events
    }
  }
}

function parseBlock(block: string): SseEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null
  return { type: field('event') ?? '', id: field('id'), frame: JSON.parse(field('data') ?? '') as SseEvent['frame'] }
}
