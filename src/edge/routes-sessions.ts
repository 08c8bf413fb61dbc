/** Sessions: make, list, read, change, erase; and the tokens that open one of them. */
import { CreateSessionSchema, CreateTokenSchema, isConfiguration, UpdateSessionSchema, type CreateToken } from '../protocol/body.ts'
import { encodeBase32, ID_BYTES, idFromBytes } from '../protocol/ids.ts'
import { SessionSchema } from '../protocol/session.ts'
import { listSessions } from '../session-index/session-list.ts'
import { commandAnswer, headHeader, problem, readAnswer } from './answer.ts'
import { json, nothing, SessionPageSchema, SessionTokenSchema } from './answer-schemas.ts'
import { expectedHead } from './precondition.ts'
import { EraseQuery, ListSessionsQuery, NoQuery } from './query.ts'
import { route, type Call } from './route.ts'
import { ask } from './session-gateway.ts'
import { makeSessionToken } from './session-token.ts'
import { digest } from './signature.ts'

/** Characters after the prefix of a token's own id. */
const TOKEN_ID_LENGTH = 26

/** With an idempotency key the id follows from tenant, parent and key, so that a repeated create meets the session it made. */
async function newSessionId(tenant: string, key: string | null): Promise<string> {
  if (key === null) return idFromBytes('ses', crypto.getRandomValues(new Uint8Array(ID_BYTES)))
  const parent = null
  return idFromBytes('ses', await digest(JSON.stringify([tenant, parent, key])))
}

const createSession = route({
  method: 'post',
  path: '/v1/sessions',
  verb: 'create',
  summary: 'Make a session',
  query: NoQuery,
  body: CreateSessionSchema,
  answers: { 201: json('The session.', SessionSchema) },
  async handle(call) {
    const sessionId = await newSessionId(call.principal.tenant, call.key)
    const answer = await ask({ ...call, sessionId }, 'create', { body: call.body })
    return commandAnswer(answer, 201, `/v1/sessions/${sessionId}`)
  },
})

const listAllSessions = route({
  method: 'get',
  path: '/v1/sessions',
  verb: 'list',
  summary: 'List and search sessions',
  query: ListSessionsQuery,
  body: null,
  answers: { 200: json('Newest change first. A filtered page may be short; `next` tells whether there is more.', SessionPageSchema) },
  async handle({ env, principal, query }) {
    const { limit, cursor = null, q = null, status = null, agent = null, tag = null, archived = null, parent = null } = query
    const page = await listSessions(env.INDEX, principal.tenant, { limit, cursor, q, status, agent, tag, archived, parent })
    return page.ok ? Response.json(page.value) : problem(page.error)
  },
})

const getSession = route({
  method: 'get',
  path: '/v1/sessions/:id',
  verb: 'read',
  summary: 'Read a session',
  query: NoQuery,
  body: null,
  answers: { 200: json('The session.', SessionSchema) },
  handle: async (call) => readAnswer(call.request, await ask(call, 'get', {})),
})

const updateSession = route({
  method: 'patch',
  path: '/v1/sessions/:id',
  verb: 'update',
  summary: 'Change a session',
  query: NoQuery,
  body: UpdateSessionSchema,
  alsoNeeds: (_query, patch) => (isConfiguration(patch) ? 'configure' : null),
  answers: { 200: json('The session.', SessionSchema) },
  async handle(call) {
    const ifMatch = expectedHead(call.request.headers)
    if (!ifMatch.ok) return problem(ifMatch.error)
    return commandAnswer(await ask(call, 'update', { patch: call.body, ifMatch: ifMatch.value }))
  },
})

const eraseSession = route({
  method: 'delete',
  path: '/v1/sessions/:id',
  verb: 'erase',
  summary: 'Erase a session and everything it holds',
  query: EraseQuery,
  body: null,
  answers: { 204: nothing('Erased.') },
  async handle(call) {
    const answer = await ask(call, 'erase', { forks: call.query.forks })
    return answer.ok ? new Response(null, { status: 204 }) : problem(answer.error, answer.head)
  },
})

const createToken = route({
  method: 'post',
  path: '/v1/sessions/:id/tokens',
  verb: 'tokens',
  summary: 'Make a token for this session alone',
  query: NoQuery,
  body: CreateTokenSchema,
  answers: { 201: json('The token. Nothing of it is stored: a repeat makes another one.', SessionTokenSchema) },
  async handle(call) {
    const answer = await ask(call, 'tokenEpoch', {})
    if (!answer.ok) return problem(answer.error, answer.head)
    return Response.json(await signedToken(call, answer.value.epoch), { status: 201, headers: headHeader(answer.head) })
  },
})

type CreateTokenCall = Call<unknown, CreateToken>

async function signedToken(call: CreateTokenCall, epoch: number): Promise<{ token: string; expiresAt: number }> {
  const { access, expiresInSeconds, name } = call.body
  const expiresAt = Date.now() + expiresInSeconds * 1000
  const token = await makeSessionToken(call.env.DORMOUSE_SECRET, {
    kind: 'token',
    id: `tok_${encodeBase32(crypto.getRandomValues(new Uint8Array(ID_BYTES)), TOKEN_ID_LENGTH)}`,
    ...(name !== undefined && { name }),
    tenant: call.principal.tenant,
    sessionId: call.sessionId,
    access,
    epoch,
    expiresAt,
  })
  return { token, expiresAt }
}

const revokeTokens = route({
  method: 'delete',
  path: '/v1/sessions/:id/tokens',
  verb: 'tokens',
  summary: 'Revoke all tokens of this session',
  query: NoQuery,
  body: null,
  answers: { 204: nothing('Revoked; open connections of these tokens end.') },
  handle: async (call) => commandAnswer(await ask(call, 'revokeTokens', {}), 204),
})

export const sessionRoutes = [createSession, listAllSessions, getSession, updateSession, eraseSession, createToken, revokeTokens]
