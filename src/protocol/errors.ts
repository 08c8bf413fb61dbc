/**
 * The one table of error codes: HTTP status, title, and whether the very same request may succeed later.
 * A refusal is a value (`Refusal`), made by `refuse`; over HTTP it becomes problem+json (RFC 9457), in a frame or a
 * failed turn an `Error`.
 */
import * as v from 'valibot'
import { ApprovalSchema } from './approval.ts'

export const errorTable = {
  invalid_request: { status: 400, title: 'The request is not valid', retryable: false },
  invalid_id: { status: 400, title: 'The id is malformed', retryable: false },
  unauthorized: { status: 401, title: 'No valid credentials', retryable: false },
  forbidden: { status: 403, title: 'Not allowed with these credentials', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  busy: { status: 409, title: 'The session is busy', retryable: true },
  idempotency_conflict: { status: 409, title: 'The idempotency key was used for another command', retryable: false },
  approval_resolved: { status: 409, title: 'The approval was already answered', retryable: false },
  turn_finished: { status: 409, title: 'The turn has already finished', retryable: false },
  nothing_to_undo: { status: 409, title: 'There is nothing to undo', retryable: false },
  has_forks: { status: 409, title: 'The session has forks', retryable: false },
  already_exists: { status: 409, title: 'The name is taken', retryable: false },
  limit_exceeded: { status: 409, title: 'A limit was reached', retryable: false },
  precondition_failed: { status: 412, title: 'What was to be changed has changed already', retryable: false },
  payload_too_large: { status: 413, title: 'The payload is too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'The media type is not supported', retryable: false },
  queue_full: { status: 429, title: 'The queue is full', retryable: true },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something went wrong on our side', retryable: true },
  agent_unavailable: { status: 503, title: 'The agent is not available', retryable: true },
  version_too_new: { status: 503, title: 'The data is newer than this server', retryable: true },
} as const

export type ErrorCode = keyof typeof errorTable

const codes = Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]

export const ErrorCodeSchema = v.picklist(codes)

/** What some codes tell besides. */
const details = {
  /** Where validation failed: a path like `input.0.text`, and why. */
  issues: v.optional(v.array(v.object({ path: v.string(), message: v.string() }))),
  /** With `approval_resolved`: the approval, with the answer that won. */
  approval: v.optional(ApprovalSchema),
}

/** What went wrong inside a turn or a frame. `message` is one plain sentence for people. */
export const ErrorSchema = v.object({ code: ErrorCodeSchema, message: v.string(), retryable: v.boolean(), ...details })
export type ErrorBody = v.InferOutput<typeof ErrorSchema>

/** Seconds after which a refused command is worth another try, for `Retry-After`. */
export type Refusal = ErrorBody & { retryAfterSeconds?: number }

export type Result<T> = { ok: true; value: T } | { ok: false; error: Refusal }

export function refusal(code: ErrorCode, message: string, more: Partial<Refusal> = {}): Refusal {
  return { code, message, retryable: errorTable[code].retryable, ...more }
}

export function refuse(code: ErrorCode, message: string, more: Partial<Refusal> = {}): { ok: false; error: Refusal } {
  return { ok: false, error: refusal(code, message, more) }
}

/** RFC 9457. `type` is a relative reference into the server's own documentation. */
export const ProblemSchema = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: ErrorCodeSchema,
  retryable: v.boolean(),
  ...details,
})
export type Problem = v.InferOutput<typeof ProblemSchema>

export function toProblem(error: Refusal): Problem {
  const { status, title } = errorTable[error.code]
  return {
    type: `/docs#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(error.issues && { issues: error.issues }),
    ...(error.approval && { approval: error.approval }),
  }
}
