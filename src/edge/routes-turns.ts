/** Turns: submit one and follow it, read it again, call it off. */
import { EmptySchema, SubmitTurnSchema, type SubmitTurn } from '../protocol/body.ts'
import { queuedSeqOf } from '../protocol/ids.ts'
import { TurnSchema, type TurnStatus } from '../protocol/turn.ts'
import type { SessionAnswer } from '../session/requests.ts'
import { acceptsEventStream, commandAnswer, problem, readAnswer } from './answer.ts'
import { json, ReceiptSchema, TurnMessagesSchema, TurnPageSchema } from './answer-schemas.ts'
import { lastEventId, ListTurnsQuery, NoQuery, SubmitQuery } from './query.ts'
import { route, type Call } from './route.ts'
import { ask, type Asker } from './session-gateway.ts'
import { turnStream, waitForTurn } from './turn-stream.ts'

type Submitted = Extract<SessionAnswer<'submitTurn'>, { ok: true }>

const submitTurn = route({
  method: 'post',
  path: '/v1/sessions/:id/turns',
  verb: 'turn',
  summary: 'Submit a turn; follow it with `Accept: text/event-stream`, or wait for it with `?wait=`',
  query: SubmitQuery,
  body: SubmitTurnSchema,
  answers: {
    200: json('With `wait`: the turn finished or waits for an approval. With `Accept: text/event-stream`: its events.', TurnMessagesSchema),
    202: json('Accepted, and durable.', ReceiptSchema),
  },
  async handle(call) {
    const submitted = await ask(call, 'submitTurn', call.body)
    if (!submitted.ok) return problem(submitted.error, submitted.head)
    if (acceptsEventStream(call.request)) return streamSubmitted(call, submitted)
    if (call.query.wait > 0) return waitForSubmitted(call, submitted, call.query.wait)
    return commandAnswer(submitted, 202)
  },
})

/** The turn was accepted, so if it cannot be followed now, the answer is its receipt and not an error. */
async function streamSubmitted(call: Call<unknown, SubmitTurn>, submitted: Submitted): Promise<Response> {
  const { value, replayed } = submitted
  const response = await turnStream(call, value.turn.id, value.seq - 1).catch(() => null)
  if (!response?.ok) return commandAnswer(submitted, 202)
  if (replayed) response.headers.set('idempotent-replayed', 'true')
  return response
}

async function waitForSubmitted(asker: Asker, submitted: Submitted, seconds: number): Promise<Response> {
  const { turn, seq } = submitted.value
  if (isGoingOn(turn.status)) await waitForTurn(asker, turn.id, seq - 1, seconds)
  const answer = await ask(asker, 'getTurnMessages', { turnId: turn.id })
  if (!answer.ok) return problem(answer.error, answer.head)
  const { replayed } = submitted
  if (!isGoingOn(answer.value.turn.status)) return commandAnswer({ ...answer, replayed })
  return commandAnswer({ ...submitted, head: answer.head, value: { turn: answer.value.turn, seq } }, 202)
}

function isGoingOn(status: TurnStatus): boolean {
  return status === 'queued' || status === 'running'
}

const listTurns = route({
  method: 'get',
  path: '/v1/sessions/:id/turns',
  verb: 'read',
  summary: 'List turns, newest first',
  query: ListTurnsQuery,
  body: null,
  answers: { 200: json('A page; `next` is the next `before`.', TurnPageSchema) },
  async handle(call) {
    const { limit, before = null, status = null } = call.query
    return readAnswer(call.request, await ask(call, 'listTurns', { limit, before, status }))
  },
})

const getTurn = route({
  method: 'get',
  path: '/v1/sessions/:id/turns/:turnId',
  verb: 'read',
  summary: 'Read a turn, or follow it with `Accept: text/event-stream`',
  query: NoQuery,
  body: null,
  answers: { 200: json('The turn, or its events.', TurnSchema) },
  async handle(call) {
    const turnId = call.params['turnId'] ?? ''
    const answer = await ask(call, 'getTurn', { turnId })
    if (!answer.ok || !acceptsEventStream(call.request)) return readAnswer(call.request, answer)
    const seen = lastEventId(call.request.headers)
    if (!seen.ok) return problem(seen.error, answer.head)
    return turnStream(call, turnId, seen.value ?? queuedSeqOf(turnId) - 1)
  },
})

const cancelTurn = route({
  method: 'post',
  path: '/v1/sessions/:id/turns/:turnId/cancel',
  verb: 'cancel',
  summary: 'Withdraw a queued turn, or abort the running one',
  query: NoQuery,
  body: EmptySchema,
  answers: { 200: json('The turn.', TurnSchema) },
  handle: async (call) => commandAnswer(await ask(call, 'cancelTurn', { turnId: call.params['turnId'] ?? '' })),
})

export const turnRoutes = [submitTurn, listTurns, getTurn, cancelTurn]
