/**
 * What the API's document says about calls, parameters and bodies, in words: who may, which group, what each name means. The
 * tables are typed by what they describe: a new field or level without its sentence does not compile, and neither does a
 * sentence about a field that is gone. Loaded only with the document.
 */
import type * as v from 'valibot'
import { verbLevels, type Level, type Verb } from '../protocol/access.ts'
import type { CreateAgent, UpdateAgent } from '../protocol/agent.ts'
import {
  configurationFields,
  type AnswerApproval,
  type CreateKeySchema,
  type CreateSession,
  type CreateToken,
  type SubmitTurn,
} from '../protocol/body.ts'
import type { UpdateSession } from '../protocol/body.ts'
import { limits } from '../protocol/limits.ts'
import { agentNotes, profileNotes, type FieldsOf, type NotesOf } from './field-notes.ts'
import type * as query from './query.ts'
import type { Method } from './route.ts'

const whoOf: Record<Level, string> = {
  read: 'Needs read access: any token of this session, or any API key.',
  write: 'Needs write access: a token of this session that may `write` or `approve`, or any API key.',
  approve: 'Needs approve access: a token of this session that may `approve`, or any API key.',
  member: 'Needs an API key; session tokens are refused.',
  admin: 'Needs an API key of scope `admin` or `operator`.',
  operator: 'Needs an API key of scope `operator`.',
}

const configured = configurationFields.map((field) => `\`${field}\``).join(', ')

/** Where a request's content decides that it needs more than its verb. */
const moreOf: Partial<Record<Verb, string>> = {
  update: `Changing ${configured} ${lowerFirst(whoOf[verbLevels.configure])}`,
  keys: `Reaching another tenant's keys, or making one of scope \`operator\`, ${lowerFirst(whoOf[verbLevels.allKeys])}`,
}

/** Who may make a call, in words; a null verb is an open route. */
export function accessNote(verb: Verb | null): string {
  if (verb === null) return 'Open to everyone, without credentials.'
  const more = moreOf[verb]
  return more === undefined ? whoOf[verbLevels[verb]] : `${whoOf[verbLevels[verb]]} ${more}`
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

/** Groups of calls, in the order of the page. */
export const groupNotes = {
  Sessions: 'A session is one durable conversation. It sleeps when nobody talks to it and is there at once when somebody does.',
  Turns: 'A turn is one accepted input and all that the agent does about it. Every accepted turn reaches exactly one end.',
  Approvals: 'A tool call that needs a yes waits for it as long as it takes; waiting costs nothing.',
  Reading: 'What a session holds, seen from many sides. Reading never changes anything.',
  Sockets: 'A socket gives what happened since a seq, and then what happens. What its frames say is below, under Staying in step.',
  Agents:
    'An agent is configuration: instructions, a model, tools, limits. A change makes a new version, which takes effect at the next turn of its sessions; messages tell which version answered.',
  'Tokens and keys': 'A key belongs to a tenant. A token opens one session: give it to a browser, or share it as a link.',
  Server: 'What the server says about itself.',
} as const
export type Group = keyof typeof groupNotes

export function groupOf(method: Method, path: string): Group {
  if (/\/tokens$|^\/v1\/keys/.test(path)) return 'Tokens and keys'
  if (/\/socket$|^\/parties\//.test(path)) return 'Sockets'
  if (/\/turns/.test(path)) return 'Turns'
  if (/\/approvals/.test(path)) return 'Approvals'
  if (/^\/v1\/(agents|models)/.test(path)) return 'Agents'
  if (!path.startsWith('/v1/sessions')) return 'Server'
  return method === 'get' && path.includes('/:id/') ? 'Reading' : 'Sessions'
}

type QueriesOf<T> = { [K in keyof T]: T[K] extends v.GenericSchema ? FieldsOf<v.InferInput<T[K]>> : never }[keyof T]

export const parameterNotes: Record<QueriesOf<typeof query> | 'id' | 'turnId' | 'approvalId' | 'ref' | 'keyId' | 'name', string> = {
  id: "The session's id.",
  turnId: "The turn's id.",
  approvalId: "The approval's id.",
  ref: 'The `outputRef` of the tool result.',
  keyId: "The key's id.",
  name: "The agent's name.",
  limit: `How many items a page has at most. A page also ends at ${limits.pageBytes / 1024 / 1024} MiB.`,
  cursor: 'The `next` of the page before.',
  q: 'Words to look for.',
  status: 'Only those of this status.',
  agent: 'Only sessions of this agent.',
  tag: 'Only sessions with this tag.',
  archived: 'Only sessions that are archived, or only those that are not.',
  parent: 'Only forks of this session.',
  forks: 'Whether forks of the session refuse its end or share it.',
  wait: 'Seconds to wait for the turn to finish, or to need an approval. 0 answers at once.',
  before: 'Only what is older than this seq: the `next` of the page before.',
  after: 'Only events with a greater seq. `head`, for streams and sockets: from now on.',
  at: 'As of this seq, not as of the head.',
  tenant: 'Keys of this tenant, not of your own.',
  _pk: "Sent by PartyKit's clients, and ignored.",
}

/** One table for all bodies but an agent's: a name means the same in each of them. */
const bodyNotes: NotesOf<CreateSession | UpdateSession | SubmitTurn | AnswerApproval | CreateToken | v.InferInput<typeof CreateKeySchema>> =
  {
    ...profileNotes,
    input: 'A plain text, or parts: texts and files.',
    whenBusy: 'What to do while another turn runs; see the table above.',
    name: 'Tells people what it is for.',
    scope: 'Of a key: what it may do. Of an answer: `session` lets the tool run without asking from now on.',
    tenant: 'Whose sessions the key opens; your own tenant when left out.',
    access: 'What the token may do: follow; also submit and change; also answer approvals.',
    expiresInSeconds: 'From now; at most 30 days.',
    decision: '`allow` lets the call run with the input that was shown.',
    reason: 'Words for the record; of a no, the model is told them.',
  }

const agentBodyNotes: NotesOf<CreateAgent | UpdateAgent> = agentNotes

export function bodyNotesOf(path: string): Record<string, string> {
  return path.startsWith('/v1/agents') ? agentBodyNotes : bodyNotes
}
