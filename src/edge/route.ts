/**
 * What a route is: method, path, verb, schemas, and what it does. All routes stand in one table (route-table.ts), and every
 * request passes the same steps in the same order: who, how often, may they, then ids, query and body (rule SEC2).
 */
import type { Context } from 'hono'
import type * as v from 'valibot'
import { authorize, type Principal, type Verb } from '../protocol/access.ts'
import { refuse, type Refusal, type Result } from '../protocol/errors.ts'
import { IdempotencyKeySchema } from '../protocol/frame.ts'
import { ApprovalIdSchema, KeyIdSchema, OutputRefSchema, SessionIdSchema, TurnIdSchema } from '../protocol/ids.ts'
import { parseWith } from '../protocol/json.ts'
import { AgentNameSchema } from '../protocol/session.ts'
import { problem } from './answer.ts'
import { authenticate } from './credentials.ts'
import { readQuery } from './query.ts'
import { countRequest } from './rate-limit.ts'
import { readBody } from './request-body.ts'
import type { Asker } from './session-gateway.ts'

export interface EdgeEnv {
  Bindings: Env
  Variables: { requestId: string; route: string; tenant: string | null }
}
export type EdgeContext = Context<EdgeEnv>

export type Method = 'get' | 'post' | 'patch' | 'delete'

/** One possible answer, for the API's document. */
export interface AnswerSpec {
  description: string
  schema?: v.GenericSchema
  mediaType?: string
}

export interface Route {
  method: Method
  path: string
  /** What a caller must be allowed to do; null: open to everyone. */
  verb: Verb | null
  summary: string
  query: v.GenericSchema | null
  body: v.GenericSchema | null
  answers: Record<number, AnswerSpec>
  run(context: EdgeContext): Promise<Response>
}

/** A request that passed every check. */
export interface Call<Q, B> extends Asker {
  request: Request
  /** Of the path, by name, each of the right shape. */
  params: Record<string, string>
  query: Q
  body: B
  /** Work that goes on after the answer. */
  keepAlive: (work: Promise<unknown>) => void
}

type BodySchema = v.GenericSchema | null
type BodyOf<B extends BodySchema> = B extends v.GenericSchema ? v.InferOutput<B> : null

export interface RouteSpec<Q extends v.GenericSchema, B extends BodySchema> {
  method: Method
  path: string
  verb: Verb
  summary: string
  query: Q
  body: B
  /** A verb that this very request needs as well. */
  alsoNeeds?(query: v.InferOutput<Q>, body: BodyOf<B>, principal: Principal): Verb | null
  answers: Record<number, AnswerSpec>
  handle(call: Call<v.InferOutput<Q>, BodyOf<B>>): Promise<Response>
  /** How a refusal looks; problem+json unless said otherwise. */
  refused?(request: Request, error: Refusal): Response
}

export function route<Q extends v.GenericSchema, B extends BodySchema>(spec: RouteSpec<Q, B>): Route {
  const { method, path, verb, summary, query, body, answers } = spec
  const run = async (context: EdgeContext): Promise<Response> => {
    const admitted = await admit(context, spec)
    if (admitted.ok) return spec.handle(admitted.value)
    return spec.refused?.(context.req.raw, admitted.error) ?? problem(admitted.error)
  }
  return { method, path, verb, summary, query, body, answers, run }
}

type OpenRouteSpec = Omit<Route, 'verb' | 'query' | 'body' | 'method'>

/** A route that asks nobody who they are, and tells nothing about anybody. */
export function openRoute(spec: OpenRouteSpec): Route {
  return { ...spec, method: 'get', verb: null, query: null, body: null }
}

const idSchemas: Record<string, v.GenericSchema<string>> = {
  id: SessionIdSchema,
  turnId: TurnIdSchema,
  approvalId: ApprovalIdSchema,
  ref: OutputRefSchema,
  keyId: KeyIdSchema,
  /** An agent's. */
  name: AgentNameSchema,
}

async function admit<Q extends v.GenericSchema, B extends BodySchema>(
  context: EdgeContext,
  spec: RouteSpec<Q, B>,
): Promise<Result<Call<v.InferOutput<Q>, BodyOf<B>>>> {
  const { env } = context
  const request = context.req.raw
  const params = context.req.param()
  const who = await identify(context)
  if (!who.ok) return who
  const principal = who.value
  const sessionId = params['id'] ?? ''
  const allowed = authorize(principal, spec.verb, params['id'])
  if (!allowed.ok) return allowed
  const ids = checkIds(params)
  if (!ids.ok) return ids
  const key = readIdempotencyKey(request)
  if (!key.ok) return key
  const query = readQuery(request.url, spec.query)
  if (!query.ok) return query
  const body = await readBodyOf(request, spec.body)
  if (!body.ok) return body
  const extra = spec.alsoNeeds?.(query.value, body.value, principal) ?? null
  const extraAllowed = extra === null ? allowed : authorize(principal, extra, params['id'])
  if (!extraAllowed.ok) return extraAllowed
  const requestId = context.get('requestId')
  return {
    ok: true,
    value: {
      ...{ env, request, requestId, principal, sessionId, key: key.value, params, query: query.value, body: body.value },
      keepAlive: (work) => context.executionCtx.waitUntil(work),
    },
  }
}

/** Counts by address before looking at credentials, so that guessing them is limited too. */
async function identify(context: EdgeContext): Promise<Result<Principal>> {
  const { env } = context
  const { method, headers } = context.req.raw
  const address = headers.get('cf-connecting-ip') ?? 'unknown'
  const byAddress = await countRequest(env, method, `address:${address}`)
  if (!byAddress.ok) return byAddress
  const who = await authenticate(env, headers)
  if (!who.ok) return who
  context.set('tenant', who.value.tenant)
  const byCaller = await countRequest(env, method, `${who.value.kind}:${who.value.id}`)
  return byCaller.ok ? who : byCaller
}

function checkIds(params: Record<string, string>): Result<null> {
  for (const [name, value] of Object.entries(params)) {
    const schema = idSchemas[name]
    const parsed = schema ? parseWith(schema, value) : null
    if (parsed && !parsed.ok) return refuse('invalid_id', parsed.error.message)
  }
  return { ok: true, value: null }
}

function readIdempotencyKey(request: Request): Result<string | null> {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const key = isRead ? null : request.headers.get('idempotency-key')
  if (key === null) return { ok: true, value: null }
  const parsed = parseWith(IdempotencyKeySchema, key)
  return parsed.ok ? parsed : refuse('invalid_request', `Idempotency-Key ${parsed.error.message}.`)
}

async function readBodyOf<B extends BodySchema>(request: Request, schema: B): Promise<Result<BodyOf<B>>> {
  // The conditional type follows the null check, which TypeScript cannot; `readBody` has just parsed the value.
  if (schema === null) return { ok: true, value: null as BodyOf<B> }
  return (await readBody(request, schema)) as Result<BodyOf<B>>
}
