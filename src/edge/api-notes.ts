/**
 * What the API's document says about calls, parameters and fields, in words. The tables are typed by the schemas they
 * describe: a new field, event or level without its sentence does not compile, and neither does a sentence about a field
 * that is gone. Loaded only with the document.
 */
import type * as v from 'valibot'
import { verbLevels, type By, type Level, type Verb } from '../protocol/access.ts'
import { configurationFields, type CreateKeySchema, type CreateSession, type CreateToken, type SubmitTurn } from '../protocol/body.ts'
import type { UpdateSession } from '../protocol/body.ts'
import type { ErrorBody, Problem } from '../protocol/errors.ts'
import type { Event } from '../protocol/event.ts'
import { limits } from '../protocol/limits.ts'
import type { Message, Part, TokenUsage } from '../protocol/message.ts'
import type { Approval, Session, SessionSummary, Settings } from '../protocol/session.ts'
import type { Turn, TurnUsage } from '../protocol/turn.ts'
import type { KeySchema } from './answer-schemas.ts'
import type * as query from './query.ts'
import type { Method } from './route.ts'

/** The fields of an object, or of every alternative of a union. */
type FieldsOf<T> = T extends unknown ? keyof T & string : never
type NotesOf<T> = Record<FieldsOf<T>, string>

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
  update: `To change ${configured}: ${lowerFirst(whoOf[verbLevels.configure])}`,
  keys: `For another tenant's keys, and for keys of scope \`operator\`: ${lowerFirst(whoOf[verbLevels.allKeys])}`,
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
  Reading: 'What a session holds, seen from many sides. Reading never changes anything.',
  Sockets: 'A socket gives what happened since a seq, and then what happens. What its frames say is below, under Staying in step.',
  'Tokens and keys': 'A key belongs to a tenant. A token opens one session: give it to a browser, or share it as a link.',
  Server: 'What the server says about itself.',
} as const
export type Group = keyof typeof groupNotes

export function groupOf(method: Method, path: string): Group {
  if (/\/tokens$|^\/v1\/keys/.test(path)) return 'Tokens and keys'
  if (/\/socket$|^\/parties\//.test(path)) return 'Sockets'
  if (/\/turns/.test(path)) return 'Turns'
  if (!path.startsWith('/v1/sessions')) return 'Server'
  return method === 'get' && path.includes('/:id/') ? 'Reading' : 'Sessions'
}

type QueriesOf<T> = { [K in keyof T]: T[K] extends v.GenericSchema ? FieldsOf<v.InferInput<T[K]>> : never }[keyof T]

export const parameterNotes: Record<QueriesOf<typeof query> | 'id' | 'turnId' | 'keyId', string> = {
  id: "The session's id.",
  turnId: "The turn's id.",
  keyId: "The key's id.",
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

const profile = {
  title: 'What people call the session.',
  agent: 'Who answers its turns; see `GET /v1/agents`.',
  model: 'The model that the agent is to use; null leaves it to the agent.',
  instructions: 'What the agent is told before the conversation. Session tokens do not see it.',
  metadata: 'Your own fields. Nothing is read from them.',
  tags: 'Labels to filter by.',
  archived: 'Put away: kept and readable, and filtered by `archived`.',
  settings: 'What is left out follows the agent.',
}

/** One table for all bodies: a name means the same in each of them. */
export const bodyNotes: NotesOf<CreateSession | UpdateSession | SubmitTurn | CreateToken | v.InferInput<typeof CreateKeySchema>> = {
  ...profile,
  input: 'A plain text, or parts: texts and files.',
  whenBusy: 'What to do while another turn runs; see the table above.',
  name: 'Tells people what it is for.',
  scope: 'What the key may do.',
  tenant: 'Whose sessions the key opens; your own tenant when left out.',
  access: 'What the token may do: follow; also submit and change; also answer approvals.',
  expiresInSeconds: 'From now; at most 30 days.',
}

const ofSession = {
  ...profile,
  id: "The session's id.",
  status: '`waiting`: an approval is pending.',
  createdAt: 'Milliseconds since the epoch, like every time.',
  updatedAt: 'When it last changed.',
  head: 'The last seq.',
  parent: 'The session that this one was forked from, and at which seq.',
}

const usage: NotesOf<TokenUsage> = {
  inputTokens: 'Tokens that the model was given.',
  outputTokens: 'Tokens that it answered.',
  cachedTokens: 'Of the input: tokens read from a cache.',
  reasoningTokens: 'Of the output: tokens of reasoning.',
}

const part: NotesOf<Part> = {
  type: 'Which kind of part.',
  text: 'Words.',
  mediaType: 'What the file is.',
  url: 'Where the file is; http or https.',
  data: 'The file itself, in base64.',
  name: "The file's name.",
  toolCallId: 'Tells calls apart, and brings a result to its call.',
  toolName: 'The tool.',
  input: 'What the tool was given.',
  output: 'What the tool answered; a preview where `outputRef` stands.',
  isError: 'The tool failed.',
  outputRef: 'The output is too large to stand here; this names it.',
  bytes: 'Size of the whole output.',
}

const problem: NotesOf<ErrorBody> = {
  code: 'For programs; see Errors.',
  message: 'One plain sentence for people.',
  retryable: 'Whether the very same request may succeed later.',
  issues: 'Which fields are wrong, each by its path, like `input.0.text`.',
}

export const fieldNotes = {
  Session: {
    ...ofSession,
    activeTurn: 'The turn that runs or waits.',
    queue: `Turns in line. Their inputs are cut at ${limits.queueInputCharacters} characters.`,
    pendingApprovals: 'Tool calls that wait for a yes or a no.',
    context: 'What the model would be given for the next turn. `tokens` is an estimate; `window` is what the model can take.',
    usage: 'Of all turns so far. `turns` counts those that were started.',
  } satisfies NotesOf<Session>,
  SessionSummary: {
    ...ofSession,
    turns: 'How many turns were started.',
    lastMessage: `The first ${limits.lastMessageCharacters} characters of the newest message.`,
  } satisfies NotesOf<SessionSummary>,
  Turn: {
    id: "The turn's id.",
    status: 'The last four are ends.',
    position: 'Place in line: 0 runs (or has run), 1 is next.',
    input: 'What was submitted.',
    by: 'Who submitted it.',
    source: 'Which way it came.',
    queuedAt: 'When it was accepted.',
    startedAt: 'When it was first started.',
    finishedAt: 'When it ended.',
    attempt: 'How often it was started: 0 while queued, 1 normally, more after recoveries.',
    finishReason: 'Why the agent stopped, such as `stop` or `length`.',
    error: 'Why the turn failed.',
    usage: 'What it cost.',
  } satisfies NotesOf<Turn>,
  Message: {
    id: "The message's id.",
    seq: 'Where it stands in the conversation.',
    turnId: 'The turn that it belongs to.',
    role: 'Who speaks.',
    parts: 'What was said, in order.',
    createdAt: 'Milliseconds since the epoch.',
    model: 'The model that said it.',
    agentVersion: 'The version of the agent that said it.',
    usage: 'Tokens that this message took.',
    finishReason: 'Why it ends: `stop`, `length`, `tool-calls`, `steered`; or, cut with its turn, `cancelled`, `interrupted`, `error`.',
    compacted: 'It left the context: a summary stands for it there.',
  } satisfies NotesOf<Message>,
  Event: {
    ...profile,
    seq: 'Its position in the log: 1, 2, 3 … without a gap.',
    at: 'When it happened, in milliseconds since the epoch.',
    by: 'Who asked for it.',
    type: 'Ignore types that you do not know: v1 only grows.',
    sessionId: "The session's id.",
    window: "Tokens that the agent's model can take.",
    parent: 'The session that this one was forked from, and at which seq.',
    patch: 'The fields that changed. Null: cleared.',
    turnId: 'The turn that it is about.',
    input: 'What was submitted.',
    whenBusy: 'What was asked for while another turn runs.',
    source: 'Which way the input came.',
    steeredSeq: 'The `turn.steered` that the input comes from.',
    parts: 'Added to the input.',
    attempt: 'How often the turn was started.',
    messageId: 'The user message that stands here.',
    inputSeqs: "Where the turn's words are: the seqs of its `turn.queued` and `turn.amended`.",
    supersedes: 'Forget what you have of this message: it is said again under a new id.',
    reason: 'Why.',
    message: 'The whole message. It replaces what was streamed of it.',
    contextSeq: 'The head as of which its context was built.',
    queuedSeq: 'The seq of its `turn.queued`.',
    startedAt: 'When it was first started.',
    finishReason: 'Why the agent stopped.',
    usage: 'What the turn cost.',
    error: 'Why it failed.',
  } satisfies NotesOf<Event>,
  Approval: {
    id: "The approval's id.",
    turnId: 'The turn that waits for it.',
    toolCallId: 'The call.',
    toolName: 'The tool.',
    input: 'What the tool would be given.',
    inputHash: 'What a yes is bound to: the very input that was shown.',
    requestedAt: 'When it was asked.',
    expiresAt: 'When it becomes a no.',
    status: '`withdrawn`: its turn ended first.',
    resolvedBy: 'Who answered.',
    resolvedAt: 'When.',
    reason: 'The words that came with the answer.',
  } satisfies NotesOf<Approval>,
  Problem: {
    type: "This problem's row under Errors.",
    title: 'What the code means.',
    status: 'The HTTP status again.',
    detail: 'One plain sentence for people, about this very request.',
    code: problem.code,
    retryable: problem.retryable,
    issues: problem.issues,
  } satisfies NotesOf<Problem>,
  Part: part,
  InputPart: part,
  Settings: {
    compaction: 'When older messages are summarised, and how many tokens stay as they are.',
    policies: 'Which tools run at once, ask first, or are refused. `tool` is a name or a pattern.',
    allow: 'Tools that run without asking in this session.',
    approvalExpiresInSeconds: 'How long an approval may stay unanswered.',
    budgets: 'The most that one turn may take.',
    retentionDays: 'How long the session is kept.',
  } satisfies NotesOf<Settings>,
  By: { kind: 'A key, a session token, or the server itself.', id: 'Which one.', name: 'What people call it.' } satisfies NotesOf<By>,
  Error: problem,
  TokenUsage: usage,
  TurnUsage: {
    ...usage,
    activeMs: 'How long the agent ran.',
    storage: "Rows of the session's own storage.",
  } satisfies NotesOf<TurnUsage>,
  Key: {
    id: "The key's id.",
    name: 'Tells people what it is for.',
    scope: 'What it may do.',
    tenant: 'Whose sessions it opens.',
    createdAt: 'When it was made.',
    revokedAt: 'When it was revoked; null while it is good.',
  } satisfies NotesOf<v.InferOutput<typeof KeySchema>>,
}
