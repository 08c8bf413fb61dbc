/**
 * Sockets: checked here, then handed to the session, which owns them. A browser cannot read why a handshake was refused, so
 * a refusal is a socket that opens and closes at once with its code.
 */
import { errorTable, refuse, type Refusal } from '../protocol/errors.ts'
import { closeCodes, SUBPROTOCOL } from '../protocol/frame.ts'
import { problem } from './answer.ts'
import { isUpgrade, offeredProtocols } from './credentials.ts'
import { AttachQuery, PartyQuery } from './query.ts'
import { route, type Call } from './route.ts'
import { attach } from './session-gateway.ts'

const closeCodeOfStatus: Record<number, number> = {
  400: closeCodes.badRequest,
  401: closeCodes.unauthorized,
  403: closeCodes.forbidden,
  404: closeCodes.notFound,
  429: closeCodes.tooMany,
}

/** RFC 6455, section 5.5: a control frame holds 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123

function subprotocolFor(request: Request): string | null {
  return offeredProtocols(request.headers).includes(SUBPROTOCOL) ? SUBPROTOCOL : null
}

function refused(request: Request, error: Refusal): Response {
  if (!isUpgrade(request.headers)) return problem(error)
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  // What is no refusal of the request itself is worth another try, as after a restart.
  server.close(closeCodeOfStatus[errorTable[error.code].status] ?? closeCodes.restart, reasonOf(error))
  return switchTo(client, subprotocolFor(request))
}

function reasonOf(error: Refusal): string {
  return error.message.replace(/[^ -~]/g, '?').slice(0, MAX_REASON_BYTES)
}

function switchTo(webSocket: WebSocket, subprotocol: string | null): Response {
  // Browsers drop a socket whose server answers none of the subprotocols they offered.
  const headers = new Headers(subprotocol === null ? {} : { 'sec-websocket-protocol': subprotocol })
  return new Response(null, { status: 101, webSocket, headers })
}

async function openSocket(call: Call<{ after: number | 'head' }, null>): Promise<Response> {
  const { request, query } = call
  if (!isUpgrade(request.headers)) {
    return problem(refuse('invalid_request', 'This address speaks WebSocket: send an upgrade, or follow /events.').error)
  }
  const subprotocol = subprotocolFor(request)
  const upgraded = await attach(call, query.after === 'head' ? null : query.after, subprotocol)
  if (!upgraded.ok) return refused(request, upgraded.error)
  const { webSocket, status } = upgraded.value
  if (!webSocket) throw new Error(`a session answered an upgrade with status ${status}`)
  return switchTo(webSocket, subprotocol)
}

const answers = { 101: { description: 'Frames of JSON: hello, events, ready, then live events and deltas.' } }

const socket = route({
  method: 'get',
  path: '/v1/sessions/:id/socket',
  verb: 'attach',
  summary: 'Attach over a WebSocket',
  query: AttachQuery,
  body: null,
  answers,
  handle: openSocket,
  refused,
})

const party = route({
  method: 'get',
  path: '/parties/session/:id',
  verb: 'attach',
  summary: "Attach over a WebSocket, at the address that PartyKit's clients use",
  query: PartyQuery,
  body: null,
  answers,
  handle: openSocket,
  refused,
})

export const socketRoutes = [socket, party]
