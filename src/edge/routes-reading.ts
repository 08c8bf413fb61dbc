/** What a session holds, read from many sides; none of it changes anything (rule LOG5). */
import { refuse } from '../protocol/errors.ts'
import { acceptsEventStream, headHeader, problem, readAnswer } from './answer.ts'
import { ContextSchema, EventPageSchema, json, MessagePageSchema, SearchPageSchema } from './answer-schemas.ts'
import { eventStream } from './event-stream.ts'
import { exportStream } from './export-stream.ts'
import { isUnchanged } from './precondition.ts'
import { ContextQuery, lastEventId, ListEventsQuery, ListMessagesQuery, NoQuery, SearchQuery } from './query.ts'
import { route } from './route.ts'
import { ask } from './session-gateway.ts'

const listEvents = route({
  method: 'get',
  path: '/v1/sessions/:id/events',
  verb: 'read',
  summary: 'Read the log, or follow it with `Accept: text/event-stream`',
  query: ListEventsQuery,
  body: null,
  answers: { 200: json('A page; `next` is the next `after`. Or server-sent events.', EventPageSchema) },
  async handle(call) {
    const { after, limit } = call.query
    if (acceptsEventStream(call.request)) {
      const seen = lastEventId(call.request.headers)
      if (!seen.ok) return problem(seen.error)
      return eventStream(call, seen.value ?? (after === 'head' ? null : after))
    }
    if (after === 'head') return problem(refuse('invalid_request', 'after: a page begins at a seq; only a stream begins at head.').error)
    return readAnswer(call.request, await ask(call, 'listEvents', { after, limit }))
  },
})

const listMessages = route({
  method: 'get',
  path: '/v1/sessions/:id/messages',
  verb: 'read',
  summary: 'Read the conversation',
  query: ListMessagesQuery,
  body: null,
  answers: { 200: json('A page, oldest first; `next` is the next, older, `before`.', MessagePageSchema) },
  async handle(call) {
    const { limit, before = null, at = null } = call.query
    return readAnswer(call.request, await ask(call, 'listMessages', { limit, before, at }))
  },
})

const getContext = route({
  method: 'get',
  path: '/v1/sessions/:id/context',
  verb: 'context',
  summary: 'Read what the model would be given for the next turn',
  query: ContextQuery,
  body: null,
  answers: { 200: json('The context.', ContextSchema) },
  handle: async (call) => readAnswer(call.request, await ask(call, 'getContext', { at: call.query.at ?? null })),
})

const search = route({
  method: 'get',
  path: '/v1/sessions/:id/search',
  verb: 'search',
  summary: 'Search the conversation',
  query: SearchQuery,
  body: null,
  answers: { 200: json('A page of hits, newest first; `next` is the next `before`.', SearchPageSchema) },
  async handle(call) {
    const { limit, before = null, q } = call.query
    return readAnswer(call.request, await ask(call, 'search', { limit, before, q }))
  },
})

const exportSession = route({
  method: 'get',
  path: '/v1/sessions/:id/export',
  verb: 'export',
  summary: 'Export the whole session',
  query: NoQuery,
  body: null,
  answers: { 200: { description: 'A header line, then every event up to its head, one per line.', mediaType: 'application/x-ndjson' } },
  async handle(call) {
    const answer = await ask(call, 'get', {})
    if (!answer.ok || isUnchanged(call.request.headers, answer.head)) return readAnswer(call.request, answer)
    const headers = headHeader(answer.head)
    headers.set('etag', `"${answer.head}"`)
    headers.set('content-type', 'application/x-ndjson')
    headers.set('content-disposition', `attachment; filename="${call.sessionId}.ndjson"`)
    return new Response(exportStream(call, answer.value), { headers })
  },
})

export const readingRoutes = [listEvents, listMessages, getContext, search, exportSession]
