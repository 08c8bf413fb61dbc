/**
 * What the edge may ask of a session object, over RPC: one method, `perform`, takes one of these and answers with a value
 * or a refusal. Values are plain data. `head` rides along on every answer about a session that exists.
 */
import type { Principal } from '../protocol/access.ts'
import type { AnswerApproval, CreateSession, Page, SubmitTurn, UpdateSession } from '../protocol/body.ts'
import type { Refusal } from '../protocol/errors.ts'
import type { Event } from '../protocol/event.ts'
import type { Message } from '../protocol/message.ts'
import type { Session } from '../protocol/session.ts'
import type { Approval } from '../protocol/approval.ts'
import type { Turn, TurnStatus } from '../protocol/turn.ts'

/** A page by seq: `before` and `limit` for pages that go back in time. */
interface BackwardPage {
  before: number | null
  limit: number
}

/** One name for each thing a session can do; the arguments it takes and the value it answers with. */
export interface SessionVerbs {
  create: { args: { body: CreateSession }; value: Session }
  get: { args: object; value: Session }
  update: { args: { patch: UpdateSession; ifMatch: number | null }; value: Session }
  erase: { args: { forks: 'refuse' | 'cascade' }; value: null }
  submitTurn: { args: SubmitTurn; value: { turn: Turn; seq: number } }
  cancelTurn: { args: { turnId: string }; value: Turn }
  answerApproval: { args: { approvalId: string; answer: AnswerApproval }; value: Approval }
  getTurn: { args: { turnId: string }; value: Turn }
  /** A turn and its messages, oldest first: what `?wait` answers. */
  getTurnMessages: { args: { turnId: string }; value: { turn: Turn; messages: Message[] } }
  listTurns: { args: BackwardPage & { status: TurnStatus | null }; value: Page<Turn> }
  listEvents: { args: { after: number; limit: number }; value: Page<Event> & { head: number } }
  listMessages: { args: BackwardPage & { at: number | null }; value: Page<Message> }
  getContext: { args: { at: number | null }; value: ContextView }
  /** The whole output of a tool that the log shows a preview of. */
  getOutput: { args: { outputRef: string }; value: { text: string } }
  listApprovals: { args: BackwardPage & { status: Approval['status'] | null }; value: Page<Approval> }
  search: { args: BackwardPage & { q: string }; value: Page<SearchHit> }
  /** What a new session token must carry to be good until the next revocation. */
  tokenEpoch: { args: object; value: { epoch: number } }
  revokeTokens: { args: object; value: null }
}

/** What the model would get for the next turn. */
export interface ContextView {
  messages: Message[]
  tokens: number
  window: number
  compaction: null
  /** What the agent noted, oldest first; it stands before the messages. */
  notes: { key: string; text: string }[]
}

export interface SearchHit {
  seq: number
  messageId: string
  snippet: string
  compacted: boolean
}

export type SessionVerb = keyof SessionVerbs

export type SessionRequest<V extends SessionVerb = SessionVerb> = {
  [K in V]: {
    verb: K
    principal: Principal
    requestId: string
    /** The session's tenant and id: the two halves of the object's name. */
    tenant: string
    sessionId: string
    /** Present on commands. The edge makes one up where the client gave none, so that it may safely ask again. */
    key?: string
    args: SessionVerbs[K]['args']
  }
}[V]

export type SessionAnswer<V extends SessionVerb = SessionVerb> =
  | { ok: true; value: SessionVerbs[V]['value']; head: number; replayed: boolean }
  | { ok: false; error: Refusal; head: number | null }

/** The object's name: the tenant is part of it (rule SEC1), so that no request of another tenant can address it. */
export function objectName(tenant: string, sessionId: string): string {
  return `${tenant}/${sessionId}`
}

export function parseObjectName(name: string): { tenant: string; sessionId: string } {
  const slash = name.indexOf('/')
  return { tenant: name.slice(0, slash), sessionId: name.slice(slash + 1) }
}

/** Header of an upgrade that the edge passes to the object: JSON of an `AttachRequest`. Only the Worker can reach the object. */
export const ATTACH_HEADER = 'x-dormouse-attach'

export interface AttachRequest {
  tenant: string
  sessionId: string
  principal: Principal
  requestId: string
  /** Exclusive lower bound of the replay; null: from now on. */
  after: number | null
  /** Answer the handshake with this subprotocol, if the client offered it. */
  subprotocol: string | null
}
