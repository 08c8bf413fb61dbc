/**
 * What each field of each schema means, in words, for the API's document. Typed by the schemas: a field without its sentence
 * does not compile, and neither does a sentence about a field that is gone.
 */
import type * as v from 'valibot'
import type { AgentView, CreateAgent, HttpTool, McpServer } from '../protocol/agent.ts'
import type { By } from '../protocol/by.ts'
import type { ErrorBody, Problem } from '../protocol/errors.ts'
import type { Event, Profile } from '../protocol/event.ts'
import { limits } from '../protocol/limits.ts'
import type { Message, Part, TokenUsage } from '../protocol/message.ts'
import type { Session, SessionSummary, Settings } from '../protocol/session.ts'
import type { Approval } from '../protocol/approval.ts'
import type { Turn, TurnUsage } from '../protocol/turn.ts'
import type { KeySchema } from './answer-schemas.ts'

/** The fields of an object, or of every alternative of a union. */
export type FieldsOf<T> = T extends unknown ? keyof T & string : never
export type NotesOf<T> = Record<FieldsOf<T>, string>

/** Of the fields that a session's owner writes, wherever they occur. */
export const profileNotes = {
  title: 'What people call the session.',
  agent: 'Who answers its turns; see `GET /v1/agents`.',
  model: 'The model that the agent is to use; null leaves it to the agent.',
  instructions: 'What the agent is told before the conversation. Session tokens do not see it.',
  metadata: 'Your own fields; the server does not read them.',
  tags: 'Labels to filter by.',
  archived: 'Put away: kept and readable, and filtered by `archived`.',
  settings: 'What is left out follows the agent.',
}

const ofSession = {
  ...profileNotes,
  id: "The session's id.",
  status: '`waiting`: an approval is pending.',
  createdAt: 'Milliseconds since the epoch, like every time.',
  updatedAt: 'When it last changed.',
  head: 'The last seq.',
  parent: 'The session that this one was forked from, and at which seq.',
}

/** Of the fields that an agent is defined by. */
export const agentNotes: NotesOf<CreateAgent> = {
  name: 'What sessions call the agent by; it never changes.',
  description: 'One sentence for people.',
  instructions: 'What the model is told before the conversation. A session may have its own.',
  model: "`provider/model`; the server's default when left out.",
  window: 'Tokens that the model takes; known by the server for common models.',
  maxOutputTokens: 'The most that one answer may take.',
  temperature: 'How freely the model chooses its words.',
  reasoning: 'How much the model may think before it answers.',
  tools: 'Built-in tools by name, and tools at an address of your own.',
  mcpServers: 'Servers of the Model Context Protocol that bring tools along.',
  policies: 'Which tools run at once, ask first, or are refused; before those of the session.',
  budgets: 'The most that one turn may take; a turn that spends one ends with `step-limit`, `token-limit` or `time-limit`.',
  compaction: 'When older messages are summarised, and how many tokens stay as they are.',
  approvalExpiresInSeconds: 'How long an approval may stay unanswered; 24 hours when left out.',
  timeouts: 'Of one model call: seconds in all, and seconds without a word.',
  recovery: 'What becomes of a turn whose server stopped: it goes on from its last durable step, or ends as interrupted.',
}

const boundNotes = {
  name: 'What it is called by.',
  url: 'Where it is; http or https.',
  approval: 'Whether a call asks a person: `never`, `always`, or by `policy`.',
  timeoutMs: 'Milliseconds that one call may take.',
  maxOutputBytes: 'Bytes that one call may answer; the rest is cut off.',
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
  outputRef: 'The output is too large to stand here; this names it: `GET /v1/sessions/:id/outputs/:ref`.',
  providerMetadata: 'What the provider wants back with this part. Opaque.',
  bytes: 'Size of the whole output.',
}

const problem: NotesOf<ErrorBody> = {
  code: 'For programs; see Errors.',
  message: 'One plain sentence for people.',
  retryable: 'Whether the very same request may succeed later.',
  issues: 'Which fields are wrong, each by its path, like `input.0.text`.',
  approval: 'With `approval_resolved`: the approval, and who answered it.',
}

export const fieldNotes = {
  Session: {
    ...ofSession,
    activeTurn: 'The turn that runs or waits.',
    queue: `Turns in line. Their inputs are cut at ${limits.queueInputCharacters} characters.`,
    pendingApprovals:
      'Tool calls that wait for a yes or a no. An input above 4,000 characters of JSON is cut here; `GET …/approvals` has all of it.',
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
    ...profileNotes,
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
    toolCallId: 'The call that runs.',
    toolName: 'The tool.',
    idempotent: 'Whether it may be run again if its end is never heard of.',
    approval: 'The approval, whole.',
    approvalIds: 'What has to be answered before the turn goes on.',
    recovery: 'What becomes of the turn if its server stops.',
    key: "The note's name.",
    text: 'What was noted; null: it was forgotten.',
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
  Agent: {
    ...agentNotes,
    version: 'Counts 1, 2, 3 …; null for those that come with the server.',
    builtIn: 'It comes with the server, and cannot be changed.',
    default: 'It answers sessions that name no agent.',
    createdAt: 'When it was first defined.',
    updatedAt: 'When this version was made.',
  } satisfies NotesOf<AgentView>,
  Problem: {
    type: "This problem's row under Errors.",
    title: 'What the code means.',
    status: 'The HTTP status again.',
    detail: 'One plain sentence for people, about this very request.',
    code: problem.code,
    retryable: problem.retryable,
    issues: problem.issues,
    approval: problem.approval,
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
  HttpTool: {
    ...boundNotes,
    type: '`http`.',
    description: 'For the model: what it does, and when to use it.',
    inputSchema: 'JSON Schema of the input; of an object.',
    secret: 'Signs the requests, as Standard Webhooks say. Made when left out and told once; `***` from then on, and `***` keeps it.',
    idempotent: 'A call whose end was never heard of may be sent again, under the same `webhook-id`.',
  } satisfies NotesOf<HttpTool>,
  McpServer: {
    ...boundNotes,
    headers: 'Sent with every request. Values read as `***`, and `***` keeps them.',
    tools: 'Which of its tools to offer, by their own names; all when left out.',
  } satisfies NotesOf<McpServer>,
  Profile: profileNotes satisfies NotesOf<Profile>,
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

/** What each schema is. */
export const schemaNotes: Record<keyof typeof fieldNotes, string> = {
  Session: 'A session as of `head`: a function of its log up to there, and of nothing else.',
  SessionSummary: 'A session as lists show it.',
  Turn: 'One accepted input and all that the agent does about it.',
  Message: 'What one side said, in parts.',
  Event:
    'A durable change of a session. `turn.completed`, `turn.failed`, `turn.cancelled` or `turn.interrupted` ends every turn, exactly once.',
  Approval: 'A tool call that waits for a yes or a no.',
  Agent: 'Who answers turns: a model with instructions and tools. Those that come with the server, and your own.',
  Problem: 'What went wrong with a request (RFC 9457).',
  Part: 'A piece of a message.',
  InputPart: 'What a client may submit: text and files, never words of an assistant or a tool.',
  Settings: "A session's own settings; what is left out follows its agent.",
  HttpTool: 'A tool at an address: each call is POSTed there, signed.',
  McpServer: 'A server of tools, reached over streamable HTTP. Its tools are called `name__tool`.',
  Profile: 'What the owner of a session writes. In a patch, what is left out stays, and null clears.',
  By: 'Who asked for something.',
  Error: 'What went wrong in a turn, or with a frame.',
  TokenUsage: 'Tokens of model calls.',
  TurnUsage: 'What a turn cost.',
  Key: 'An API key, without its secret, which is shown once when it is made.',
}

const partTypes: Record<Part['type'], string> = {
  text: 'Text, in Markdown or plain.',
  file: 'A file, by address or by value.',
  reasoning: 'What the model thought before it spoke.',
  'tool-call': 'The agent calls a tool.',
  'tool-result': 'What the tool answered.',
}

const eventTypes: Record<Event['type'], string> = {
  'session.created': 'The session was made, always at seq 1.',
  'session.updated': 'Its title, tags, agent or other fields were changed.',
  'tokens.revoked': 'No token made before is good from here on.',
  'turn.queued': 'An input was accepted as a turn.',
  'turn.amended': 'An input joined a queued turn (`collect`).',
  'turn.steered': 'An input was given to the running turn (`steer`).',
  'turn.started': 'The turn runs; its input takes its place in the conversation.',
  'turn.waiting': 'Every call that is left waits for a person; nothing runs until one is answered.',
  'turn.resumed': 'The turn goes on: an approval was answered, its server came back, or a cut model call is made again.',
  'message.completed': 'A message is complete. What an ended turn had said by then is one too.',
  'tool.started': 'A tool runs; from here on it may have had its effect.',
  'approval.requested': 'A tool call waits for a yes or a no.',
  'approval.resolved': 'It was answered, expired, or was withdrawn with its turn.',
  'note.written': 'The agent noted something for later, or forgot it.',
  'turn.completed': 'The agent finished, or a budget was spent.',
  'turn.failed': 'The agent could not finish.',
  'turn.cancelled': 'Somebody called the turn off.',
  'turn.interrupted': 'The turn was lost with the server, and could not go on.',
}

/** What each alternative of a union is, by its type. */
export const variantNotes: Record<string, Record<string, string>> = { Event: eventTypes, Part: partTypes, InputPart: partTypes }
