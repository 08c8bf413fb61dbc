/** Questions about a session: pure reads, which write nothing, set no alarm and create no table (rule LOG5). */
import type { SessionState } from '../core/state.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { withoutInstructions } from '../protocol/event.ts'
import { outputSeqOf, queuedSeqOf } from '../protocol/ids.ts'
import type { Turn } from '../protocol/turn.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { readApprovals } from './read-approvals.ts'
import { eventAt, readEvents } from './read-log.ts'
import { readContext, readMessages, readTurnMessages, searchMessages } from './read-messages.ts'
import { readSession } from './read-session.ts'
import { readTurn, readTurns } from './read-turns.ts'
import type { SessionRequest, SessionVerbs } from './requests.ts'
import { stateAt } from './restore.ts'

export type QueryVerb = Exclude<
  keyof SessionVerbs,
  'create' | 'update' | 'erase' | 'submitTurn' | 'cancelTurn' | 'answerApproval' | 'revokeTokens'
>

export function answerQuery(
  store: SessionStore,
  state: SessionState,
  request: SessionRequest<QueryVerb>,
): Result<SessionVerbs[QueryVerb]['value']> {
  switch (request.verb) {
    case 'get':
      return { ok: true, value: readSession(store, state, request.principal) }
    case 'getTurn':
      return turnOr404(readTurn(store, state, request.args.turnId))
    case 'getTurnMessages':
      return turnMessages(store, state, request.args.turnId)
    case 'listTurns':
      return { ok: true, value: readTurns(store, state, request.args) }
    case 'listEvents':
      return events(store, state, request)
    case 'listMessages':
      return beyondHead(state, request.args.at) ?? { ok: true, value: readMessages(store, state, request.args) }
    case 'getContext':
      return context(store, state, request)
    case 'listApprovals':
      return { ok: true, value: readApprovals(store, state, request.args) }
    case 'getOutput':
      return output(store, request.args.outputRef)
    case 'search':
      return { ok: true, value: searchMessages(store, state, request.args) }
    case 'tokenEpoch':
      return { ok: true, value: { epoch: state.tokenEpoch } }
  }
}

function output(store: SessionStore, outputRef: string): Result<{ text: string }> {
  const event = eventAt(store, outputSeqOf(outputRef))
  const parts = event?.type === 'message.completed' ? event.message.parts : []
  const isThere = event !== null && parts.some((part) => part.type === 'tool-result' && part.outputRef === outputRef)
  const text = isThere ? store.outputs.at(event.seq) : null
  return text === null ? refuse('not_found', 'There is no such output in this session.') : { ok: true, value: { text } }
}

function turnOr404(turn: Turn | null): Result<Turn> {
  return turn ? { ok: true, value: turn } : refuse('not_found', 'There is no such turn in this session.')
}

function turnMessages(store: SessionStore, state: SessionState, turnId: string) {
  const turn = turnOr404(readTurn(store, state, turnId))
  if (!turn.ok) return turn
  const messages = readTurnMessages(store, turnId, queuedSeqOf(turnId), state.head)
  return { ok: true as const, value: { turn: turn.value, messages } }
}

function events(store: SessionStore, state: SessionState, { args, principal }: SessionRequest<'listEvents'>) {
  const refused = beyondHead(state, args.after)
  if (refused) return refused
  const page = readEvents(store, state.head, args.after, args.limit)
  const items = principal.kind === 'token' ? page.items.map(withoutInstructions) : page.items
  return { ok: true as const, value: { ...page, items } }
}

function context(store: SessionStore, state: SessionState, { args }: SessionRequest<'getContext'>) {
  const refused = beyondHead(state, args.at)
  if (refused) return refused
  const at = args.at ?? state.head
  const past = at === state.head ? state : stateAt(store, at)
  return { ok: true as const, value: readContext(store, past ?? state, at) }
}

function beyondHead(state: SessionState, seq: number | null) {
  return seq !== null && seq > state.head ? refuse('invalid_request', `Seq ${seq} is beyond the head, which is ${state.head}.`) : null
}
