/** Frames of the socket: JSON, one object in each text frame. An SSE event's `data` is the very frame of the socket. */
import * as v from 'valibot'
import { AnswerApprovalSchema, UpdateSessionSchema } from './body.ts'
import { ErrorSchema } from './errors.ts'
import { EventSchema } from './event.ts'
import { ApprovalIdSchema, MessageIdSchema, SeqSchema, SessionIdSchema, TurnIdSchema } from './ids.ts'
import { limits } from './limits.ts'
import { InputSchema, PartSchema } from './message.ts'
import { SessionSchema } from './session.ts'
import { WhenBusySchema } from './turn.ts'

export const SUBPROTOCOL = 'dormouse.v1'
export const BEARER_PROTOCOL_PREFIX = 'bearer.'
export const PROTOCOL_VERSION = 1

/** Close codes of a socket. 44xx are final: the same request would be refused again. */
export const closeCodes = {
  badRequest: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  notFound: 4404,
  tooSlow: 4408,
  erased: 4410,
  tooMany: 4429,
  restart: 1012,
} as const

export const DeltaKindSchema = v.picklist(['text', 'reasoning', 'tool-input'])
export type DeltaKind = v.InferOutput<typeof DeltaKindSchema>

export const PartialSchema = v.object({ turnId: TurnIdSchema, messageId: MessageIdSchema, parts: v.array(PartSchema) })
/** The message that is streaming, as far as it was said. */
export type Partial = v.InferOutput<typeof PartialSchema>

/** Chosen by the client for each frame, to tell the replies apart. */
export const FrameIdSchema = v.union([v.pipe(v.string(), v.minLength(1), v.maxLength(255)), v.pipe(v.number(), v.safeInteger())])

const HelloFrameSchema = v.object({
  type: v.literal('hello'),
  protocol: v.literal(PROTOCOL_VERSION),
  sessionId: SessionIdSchema,
  head: SeqSchema,
  access: v.picklist(['read', 'write', 'approve', 'member', 'admin', 'operator']),
})
const EventFrameSchema = v.object({ type: v.literal('event'), event: EventSchema })
const ReadyFrameSchema = v.object({
  type: v.literal('ready'),
  head: SeqSchema,
  session: SessionSchema,
  partial: v.nullable(PartialSchema),
})
/** `part` is the index of the part in its message; `offset` and the text's length count UTF-16 units. */
const DeltaFrameSchema = v.object({
  type: v.literal('delta'),
  turnId: TurnIdSchema,
  messageId: MessageIdSchema,
  part: v.number(),
  kind: DeltaKindSchema,
  offset: v.number(),
  text: v.string(),
})
const ReplyFrameSchema = v.variant('ok', [
  v.object({ type: v.literal('reply'), id: v.nullable(FrameIdSchema), ok: v.literal(true), result: v.unknown() }),
  v.object({ type: v.literal('reply'), id: v.nullable(FrameIdSchema), ok: v.literal(false), error: ErrorSchema }),
])

export const ServerFrameSchema = v.union([HelloFrameSchema, EventFrameSchema, ReadyFrameSchema, DeltaFrameSchema, ReplyFrameSchema])
export type ServerFrame = v.InferOutput<typeof ServerFrameSchema>
export type DeltaFrame = v.InferOutput<typeof DeltaFrameSchema>
export type ReadyFrame = v.InferOutput<typeof ReadyFrameSchema>

export const IdempotencyKeySchema = v.pipe(
  v.string(),
  v.regex(
    new RegExp(`^[\\x20-\\x7e]{1,${limits.idempotencyKeyCharacters}}$`),
    `must be 1 to ${limits.idempotencyKeyCharacters} printable ASCII characters`,
  ),
)

/** `id` comes back in the reply; `key` is an idempotency key as over HTTP. */
const envelope = {
  id: FrameIdSchema,
  key: v.optional(IdempotencyKeySchema),
}

export const ClientFrameSchema = v.variant('type', [
  v.strictObject({
    ...envelope,
    type: v.literal('turn'),
    input: InputSchema,
    whenBusy: v.optional(WhenBusySchema, 'enqueue'),
  }),
  v.strictObject({ ...envelope, type: v.literal('cancel'), turnId: TurnIdSchema }),
  v.strictObject({ ...envelope, type: v.literal('approve'), approvalId: ApprovalIdSchema, ...AnswerApprovalSchema.entries }),
  v.strictObject({ ...envelope, type: v.literal('update'), patch: UpdateSessionSchema }),
])
export type ClientFrame = v.InferOutput<typeof ClientFrameSchema>
