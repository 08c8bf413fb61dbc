/** Queries: strict like bodies, so that a misspelt parameter is never ignored. Values arrive as text; integers say so in the API's document. */
import * as v from 'valibot'
import { refuse, type Result } from '../protocol/errors.ts'
import { SessionIdSchema } from '../protocol/ids.ts'
import { parseWith } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'
import { AgentNameSchema, SessionStatusSchema, TagSchema } from '../protocol/session.ts'
import { ApprovalSchema } from '../protocol/approval.ts'
import { TenantSchema } from '../protocol/access.ts'
import { TurnStatusSchema } from '../protocol/turn.ts'

/** What `v.metadata` tells the API's document about a parameter that is an integer in text. */
export interface IntegerMetadata {
  type: 'integer'
  minimum: number
  maximum: number
}

function integer(minimum: number, maximum: number) {
  const message = `must be an integer from ${minimum} to ${maximum}`
  const documented: IntegerMetadata = { type: 'integer', minimum, maximum }
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, message),
    v.transform(Number),
    v.check((value) => value >= minimum && value <= maximum, message),
    v.metadata({ ...documented }),
  )
}

const Seq = integer(0, Number.MAX_SAFE_INTEGER)
const Limit = v.optional(integer(1, limits.pageItems), String(limits.defaultPageItems))
const Before = v.optional(integer(1, Number.MAX_SAFE_INTEGER))
const SearchText = v.pipe(
  v.string(),
  v.check((text) => text.trim() !== '', 'must not be empty'),
  v.maxLength(limits.searchCharacters),
)
const CursorSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(512))
const Flag = v.pipe(
  v.picklist(['true', 'false']),
  v.transform((text) => text === 'true'),
)

export const NoQuery = v.strictObject({})

export const ListSessionsQuery = v.strictObject({
  limit: Limit,
  cursor: v.optional(CursorSchema),
  q: v.optional(SearchText),
  status: v.optional(SessionStatusSchema),
  agent: v.optional(AgentNameSchema),
  tag: v.optional(TagSchema),
  archived: v.optional(Flag),
  parent: v.optional(SessionIdSchema),
})

export const EraseQuery = v.strictObject({ forks: v.optional(v.picklist(['refuse', 'cascade']), 'refuse') })

export const SubmitQuery = v.strictObject({ wait: v.optional(integer(0, limits.waitSeconds), '0') })

export const ListTurnsQuery = v.strictObject({ limit: Limit, before: Before, status: v.optional(TurnStatusSchema) })

/** `head`: from now on. */
const After = v.union([v.literal('head'), Seq])

export const ListEventsQuery = v.strictObject({ limit: Limit, after: v.optional(After, '0') })

export const ListMessagesQuery = v.strictObject({ limit: Limit, before: Before, at: v.optional(integer(1, Number.MAX_SAFE_INTEGER)) })

export const ContextQuery = v.strictObject({ at: v.optional(integer(1, Number.MAX_SAFE_INTEGER)) })

export const ListApprovalsQuery = v.strictObject({ limit: Limit, before: Before, status: v.optional(ApprovalSchema.entries.status) })

export const SearchQuery = v.strictObject({ limit: Limit, before: Before, q: SearchText })

export const AttachQuery = v.strictObject({ after: v.optional(After, 'head') })

/** PartyKit's clients send the id they chose for the connection as `_pk`; here the server knows its sockets without. */
export const PartyQuery = v.strictObject({ ...AttachQuery.entries, _pk: v.optional(v.string()) })

export const ListAgentsQuery = v.strictObject({ limit: Limit, cursor: v.optional(CursorSchema) })

/** Another tenant's keys are the operator's business. */
export const ListKeysQuery = v.strictObject({ limit: Limit, cursor: v.optional(CursorSchema), tenant: v.optional(TenantSchema) })

export function readQuery<S extends v.GenericSchema>(url: string, schema: S): Result<v.InferOutput<S>> {
  const parameters = [...new URL(url).searchParams]
  const repeated = parameters.find(([name], place) => parameters.findIndex(([other]) => other === name) !== place)
  if (repeated) return refuse('invalid_request', `The query parameter "${repeated[0].slice(0, 64)}" is given twice.`)
  return parseWith(schema, Object.fromEntries(parameters))
}

/** `Last-Event-ID`, which a browser's EventSource sends when it comes back; null when absent. */
export function lastEventId(headers: Headers): Result<number | null> {
  const text = headers.get('last-event-id')?.trim()
  if (!text) return { ok: true, value: null }
  const parsed = v.safeParse(Seq, text)
  return parsed.success ? { ok: true, value: parsed.output } : refuse('invalid_request', 'Last-Event-ID must be the id of an event.')
}
