/**
 * What a list of calls cannot say: how to begin, what every call has in common, how a client stays in step, what to do about
 * each problem. Frames, codes and limits come from the protocol; the sentences about them are typed by it.
 */
import { ClientFrameSchema, closeCodes, ServerFrameSchema, SUBPROTOCOL, type ClientFrame, type ServerFrame } from '../protocol/frame.ts'
import { errorTable, type ErrorCode } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { WhenBusy } from '../protocol/turn.ts'
import { code, escape, listing, paragraph, prose, section, table, type Row } from './docs-html.ts'
import { asArray, nameCell, shape } from './docs-schemas.ts'
import { asObject, inputSchema, outputSchema, typeOf, type Json } from './openapi.ts'

const mebibytes = (bytes: number) => `${bytes / 1024 / 1024} MiB`

const PREPARE = `export DORMOUSE=http://127.0.0.1:8787   # where this server is
export KEY=...                          # npm start prints one`

const CREATE = `curl -s $DORMOUSE/v1/sessions -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -d '{"title": "First"}'
export SESSION=ses_...                  # the id in the answer`

const STREAM = `curl -N $DORMOUSE/v1/sessions/$SESSION/turns -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \\
  -d '{"input": "Hello, Dormouse!"}'`

const READ = `curl -s $DORMOUSE/v1/sessions/$SESSION/messages -H "Authorization: Bearer $KEY"`

export function startSection(): string {
  const steps = [
    listing('Say where the server is, and who you are', PREPARE),
    listing('Make a session', CREATE),
    listing('Say something, and watch the answer stream', STREAM),
    listing('Read the conversation', READ),
  ]
  return section(2, 'start', 'A first conversation', steps.join(''))
}

const basics = [
  '**Credentials.** `Authorization: Bearer …` with an API key (`dk_…`, or the one that the server was started with) or a session token (`dt_…`). A key opens the sessions of its tenant, a token one session. Never put either into an address.',
  '**JSON.** UTF-8, camelCase. A field or query parameter that the server does not know is refused. v1 only grows: ignore fields, events and frames that you do not know.',
  '**Ids and times.** An id is a prefix such as `ses_` and 26 characters; treat it as opaque. Times are integer milliseconds since the epoch.',
  '**Seq and head.** Every durable change of a session is an event with a `seq`: 1, 2, 3 … without a gap. The last one is the head; answers about a session carry it as `Dormouse-Head` and as `ETag`.',
  `**Pages.** \`limit\` is 1–${limits.pageItems}, ${limits.defaultPageItems} when left out. \`next\` is what to pass on for the next page, and null at the end.`,
  `**Commands happen once.** Send \`Idempotency-Key\` with a POST. The same key and the same command give the original ids and seq again, with \`Idempotent-Replayed: true\`; with another command, \`idempotency_conflict\`. A session remembers its newest ${limits.idempotentCommands} commands.`,
  '**Accepted means durable.** What was answered with success survives a crash. A client that goes away changes nothing about its turn.',
  '**Support.** Every answer has a `Dormouse-Request-Id`; the logs have it too.',
]

export function basicsSection(): string {
  const items = basics.map((text) => `<li>${prose(text).replace(/\*\*(.+?)\*\*/, '<strong>$1</strong>')}</li>`)
  return section(2, 'basics', 'Basics', `<ul>${items.join('')}</ul>`)
}

const whenBusyNotes: Record<WhenBusy, string> = {
  enqueue: `It waits its turn: the default. ${limits.queuedTurns} may wait; more are refused with \`queue_full\`.`,
  reject: 'It is refused with `busy`.',
  interrupt: 'The running turn is cancelled, and it goes ahead of the queue.',
  steer: 'It is given to the running turn at its next step. If the turn ends first, it becomes a turn of its own.',
  collect: 'It joins the last waiting turn of the same sender; if there is none, it waits its turn.',
}

export function whenBusyTable(): string {
  return table('An input that comes while a turn runs', ['whenBusy', 'What becomes of it'], rowsOf(whenBusyNotes))
}

function rowsOf(notes: Record<string, string>): Row[] {
  return Object.entries(notes).map(([name, note]) => ({ cells: [code(name), prose(note)] }))
}

const serverFrameNotes: Record<ServerFrame['type'], string> = {
  hello: 'At once.',
  event: 'Every event after `after`, in order; then, after `ready`, each one as it happens.',
  ready: 'Exactly once, when you have them all. `partial` is the message in the making, or null.',
  delta: 'Live: a piece of a message while it streams. It is no event, has no seq, and the whole text comes again in `message.completed`.',
  reply: 'One for every frame that you sent.',
}

const clientFrameNotes: Record<ClientFrame['type'], string> = {
  turn: 'Submits a turn. The result is its `turn` and `seq`.',
  approve: 'Answers an approval. The result is the approval.',
  cancel: 'Calls a turn off. The result is the turn.',
  update: 'Changes the session, as `PATCH` does. The result is the session.',
}

function frameRows(schema: Json, notes: Record<string, string>): Row[] {
  const { anyOf, oneOf } = asObject(schema)
  const frames = [...asArray(anyOf), ...asArray(oneOf)].map(asObject)
  return frames.flatMap((frame) => {
    if (Array.isArray(frame['oneOf'])) return frameRows(frame, notes)
    const type = typeOf(frame)
    return [{ cells: [code(type), `<code class="shape">${shape(frame)}</code><br>${prose(notes[type] ?? '')}`] }]
  })
}

const closeNotes: Record<keyof typeof closeCodes, [meaning: string, comeBack: string]> = {
  badRequest: ['A bad request: `after` is beyond the head, say, or too many frames in a row were bad.', 'no'],
  unauthorized: ['No valid credentials, or they expired or were revoked.', 'with new ones'],
  forbidden: ['Not allowed with these credentials.', 'no'],
  notFound: ['There is no such session.', 'no'],
  tooSlow: ['You read too slowly.', 'yes, with `after`'],
  erased: ['The session was erased.', 'no'],
  tooMany: [`${limits.sockets.toLocaleString('en')} sockets are attached, or too many requests came.`, 'later'],
  restart: ['The server restarted. The same goes for 1000, 1001 and 1006.', 'yes, with `after`'],
}

function closeRows(): Row[] {
  return Object.entries(closeCodes).map(([name, number]) => {
    const [meaning, comeBack] = closeNotes[name as keyof typeof closeCodes]
    return { cells: [code(String(number)), prose(meaning), prose(comeBack)] }
  })
}

const stepRules = [
  'Keep the highest `seq` that you have seen, and attach again with it as `after`. Nothing comes twice, nothing is missing.',
  'Keep one partial message. A delta, or a `ready`, that names another `messageId` discards it.',
  '`part` is the index of the part in its message, `offset` where its text begins, in UTF-16 units. Append the tail that you do not have; if `offset` is beyond your text, attach again.',
  '`message.completed` replaces the partial.',
]

const HANDSHAKE = `GET /v1/sessions/ses_.../socket?after=12
Sec-WebSocket-Protocol: ${SUBPROTOCOL}, bearer.<key or token>`

export function streamsSection(): string {
  return section(2, 'streams', 'Staying in step', socketPart() + rulesPart() + ssePart())
}

function socketPart(): string {
  const parts = [
    listing('Attach', HANDSHAKE),
    paragraph(
      `The server answers with \`${SUBPROTOCOL}\` alone. A program that can set headers may send \`Authorization\` instead. Without \`after\` you get what happens from now on. One frame is one JSON object in a text frame.`,
    ),
    table('From the server', ['Frame', 'Shape, and when it comes'], frameRows(outputSchema(ServerFrameSchema), serverFrameNotes)),
    table('From you', ['Frame', 'Shape, and what it does'], frameRows(inputSchema(ClientFrameSchema), clientFrameNotes)),
    paragraph(
      `\`id\` comes back in the reply. \`key\` is an idempotency key: send the same command under the same key until a reply comes, and it happens once. The text \`ping\` is answered \`pong\` without waking the session. A frame may have ${mebibytes(limits.frameBytes)}; more than ${limits.badFramesInARow} bad ones in a row end the socket.`,
    ),
    table('Close codes', ['Code', 'Meaning', 'Come back?'], closeRows()),
  ]
  return section(3, 'frames', 'Over a socket', parts.join(''))
}

function rulesPart(): string {
  return section(3, 'rules', 'Four rules for a client', `<ol>${stepRules.map((rule) => `<li>${prose(rule)}</li>`).join('')}</ol>`)
}

function ssePart(): string {
  const texts = [
    '`GET /v1/sessions/{id}/events` with `Accept: text/event-stream` is the same stream: `event:` is the type of the frame, `data:` the very frame, `id:` the seq, on events only. `Last-Event-ID` wins over `after`.',
    'A comment comes every 15 seconds. A stream on which nothing happens ends after five minutes, and `EventSource` comes back by itself.',
    '`POST /v1/sessions/{id}/turns` with the same `Accept` streams that turn alone, without `hello` and `ready`, up to its end or to where it waits for an approval. `GET /v1/sessions/{id}/turns/{turnId}` streams it again, or what comes after `Last-Event-ID`.',
  ]
  return section(3, 'sse', 'Over server-sent events', texts.map(paragraph).join(''))
}

const remedies: Record<ErrorCode, string> = {
  invalid_request: 'Correct what `issues` names, or what `detail` says.',
  invalid_id: 'Use an id as the server gave it: a prefix and 26 characters.',
  unauthorized: 'Send a valid key or token; a token that expired or was revoked needs a new one.',
  forbidden: 'Use credentials that may do this; `detail` says which access is missing.',
  not_found: 'Check the id and the address. What was erased stays gone.',
  busy: 'Wait for the running turn, or choose another `whenBusy`.',
  idempotency_conflict: 'Use a new key for a new command.',
  approval_resolved: 'Nothing: somebody answered first.',
  turn_finished: 'Nothing: read the turn to see how it ended.',
  nothing_to_undo: 'Nothing: it is as it was.',
  has_forks: 'Erase the forks first, or ask for all with `forks=cascade`.',
  limit_exceeded: 'Make room or make it smaller; `detail` says which.',
  already_exists: 'Take another name, or change what is there.',
  precondition_failed: 'Read it again, and decide again with its new `ETag`.',
  payload_too_large: 'Send less; `detail` names the bound.',
  unsupported_media_type: 'Send `Content-Type: application/json`.',
  queue_full: 'Wait as `Retry-After` says, or cancel a queued turn.',
  rate_limited: 'Wait as `Retry-After` says.',
  internal: 'Try again; a command under the same idempotency key. If it stays, report the `Dormouse-Request-Id`.',
  agent_unavailable: 'Try again later, or choose another agent.',
  version_too_new: 'Try again when the deploy under way has reached this server.',
}

/** `type` of every problem points at its row here. */
export function errorsSection(): string {
  const rows = Object.entries(errorTable).map(([name, { status, title, retryable }]): Row => {
    const remark = `${status}${retryable ? ', worth another try' : ''}`
    // A long code may break where its words do.
    const cell = nameCell(name, remark).replaceAll('_', '_<wbr>')
    return { id: name, cells: [cell, `${escape(title)}.<br>${prose(remedies[name as ErrorCode])}`] }
  })
  const intro = 'Over HTTP a problem is `application/problem+json`. In frames and in failed turns it is an error with the same codes.'
  return section(2, 'errors', 'Errors', paragraph(intro) + table('Codes of problems', ['Problem', 'Meaning, and what to do'], rows))
}
