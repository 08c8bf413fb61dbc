/**
 * Events: the durable changes of a session, as they are stored and as clients see them. v1 only grows: a field or a type
 * is added, never changed. Clients ignore types they do not know.
 */
import * as v from 'valibot'
import { ApprovalSchema } from './approval.ts'
import { BySchema } from './by.ts'
import { ErrorSchema } from './errors.ts'
import { ApprovalIdSchema, MessageIdSchema, SeqSchema, SessionIdSchema, TimeSchema, TurnIdSchema } from './ids.ts'
import { InputPartSchema, MessageSchema } from './message.ts'
import { AgentNameSchema, SettingsSchema } from './session.ts'
import { RecoverySchema, TurnSourceSchema, TurnUsageSchema, WhenBusySchema } from './turn.ts'

/** Parts of a session that its owner writes; every one is optional in a patch. `null` clears. */
export const ProfileSchema = v.object({
  title: v.optional(v.nullable(v.string())),
  agent: v.optional(AgentNameSchema),
  model: v.optional(v.nullable(v.string())),
  instructions: v.optional(v.nullable(v.string())),
  metadata: v.optional(v.record(v.string(), v.unknown())),
  tags: v.optional(v.array(v.string())),
  archived: v.optional(v.boolean()),
  settings: v.optional(SettingsSchema),
})
export type Profile = v.InferOutput<typeof ProfileSchema>

const base = { seq: SeqSchema, at: TimeSchema, by: v.optional(BySchema) }
const ofTurn = { ...base, turnId: TurnIdSchema }

const SessionCreatedSchema = v.object({
  ...base,
  ...ProfileSchema.entries,
  type: v.literal('session.created'),
  sessionId: SessionIdSchema,
  agent: AgentNameSchema,
  /** Tokens that the agent's model can take, when the session was made. */
  window: v.number(),
  parent: v.optional(v.object({ id: SessionIdSchema, seq: SeqSchema })),
})

const SessionUpdatedSchema = v.object({
  ...base,
  type: v.literal('session.updated'),
  patch: ProfileSchema,
  /** Present when the agent changed: tokens that the new one's model can take. */
  window: v.optional(v.number()),
})

/** From here on no session token made before is good. */
const TokensRevokedSchema = v.object({ ...base, type: v.literal('tokens.revoked') })

const TurnQueuedSchema = v.object({
  ...ofTurn,
  type: v.literal('turn.queued'),
  input: v.array(InputPartSchema),
  whenBusy: WhenBusySchema,
  source: TurnSourceSchema,
  /** The `turn.steered` that became this turn, because the turn it was given to ended first. */
  steeredSeq: v.optional(SeqSchema),
})

const TurnAmendedSchema = v.object({ ...ofTurn, type: v.literal('turn.amended'), parts: v.array(InputPartSchema) })

const TurnSteeredSchema = v.object({
  ...ofTurn,
  type: v.literal('turn.steered'),
  input: v.array(InputPartSchema),
  source: TurnSourceSchema,
})

const TurnStartedSchema = v.object({
  ...ofTurn,
  type: v.literal('turn.started'),
  attempt: v.number(),
  /** Of the user message that stands here on the path. */
  messageId: MessageIdSchema,
  /** Where its words are: the seqs of its `turn.queued` and `turn.amended`. */
  inputSeqs: v.array(SeqSchema),
  agent: AgentNameSchema,
  window: v.number(),
  /** What becomes of the turn if its server stops; `resume` where it is left out. */
  recovery: v.optional(RecoverySchema),
})

/** Every call that is left waits for a person: nothing runs until one of these is answered. */
const TurnWaitingSchema = v.object({
  ...ofTurn,
  type: v.literal('turn.waiting'),
  approvalIds: v.array(ApprovalIdSchema),
  /** What the turn has cost so far. */
  usage: TurnUsageSchema,
})

const TurnResumedSchema = v.object({
  ...ofTurn,
  type: v.literal('turn.resumed'),
  attempt: v.number(),
  reason: v.picklist(['approval', 'recovery', 'retry']),
  /** The message whose partial text is void: its step is done again under a new id. */
  supersedes: v.optional(MessageIdSchema),
})

const MessageCompletedSchema = v.object({
  ...ofTurn,
  type: v.literal('message.completed'),
  message: MessageSchema,
  /** The head as of which its context was built. */
  contextSeq: SeqSchema,
  /** A steered input that stands here: the seq of its `turn.steered`. */
  steeredSeq: v.optional(SeqSchema),
  /** Present when it changed: tokens that the model which answered can take. */
  window: v.optional(v.number()),
})

/** From here on the tool may have had its effect. */
const ToolStartedSchema = v.object({
  ...ofTurn,
  type: v.literal('tool.started'),
  toolCallId: v.string(),
  toolName: v.string(),
  /** It may be started again if its end is never heard of. */
  idempotent: v.boolean(),
})

const ApprovalRequestedSchema = v.object({
  ...ofTurn,
  type: v.literal('approval.requested'),
  approval: ApprovalSchema,
  /** The tool that waits may be started again if its end is never heard of. */
  idempotent: v.boolean(),
})
const ApprovalResolvedSchema = v.object({ ...ofTurn, type: v.literal('approval.resolved'), approval: ApprovalSchema })

/** The agent noted something for later, or (`text` null) forgot it again. */
const NoteWrittenSchema = v.object({ ...ofTurn, type: v.literal('note.written'), key: v.string(), text: v.nullable(v.string()) })

/** A terminal event holds all that its turn's representation needs, so that an old turn is two reads away. */
const ended = {
  ...ofTurn,
  queuedSeq: SeqSchema,
  inputSeqs: v.array(SeqSchema),
  startedAt: v.nullable(TimeSchema),
  attempt: v.number(),
  usage: TurnUsageSchema,
}

const TurnCompletedSchema = v.object({ ...ended, type: v.literal('turn.completed'), finishReason: v.string() })
const TurnFailedSchema = v.object({ ...ended, type: v.literal('turn.failed'), error: ErrorSchema })
const TurnCancelledSchema = v.object({ ...ended, type: v.literal('turn.cancelled') })
const TurnInterruptedSchema = v.object({ ...ended, type: v.literal('turn.interrupted'), reason: v.string() })

export const EventSchema = v.variant('type', [
  SessionCreatedSchema,
  SessionUpdatedSchema,
  TokensRevokedSchema,
  TurnQueuedSchema,
  TurnAmendedSchema,
  TurnSteeredSchema,
  TurnStartedSchema,
  TurnWaitingSchema,
  TurnResumedSchema,
  MessageCompletedSchema,
  ToolStartedSchema,
  ApprovalRequestedSchema,
  ApprovalResolvedSchema,
  NoteWrittenSchema,
  TurnCompletedSchema,
  TurnFailedSchema,
  TurnCancelledSchema,
  TurnInterruptedSchema,
])
export type Event = v.InferOutput<typeof EventSchema>
export type EventOf<T extends Event['type']> = Extract<Event, { type: T }>

export type TerminalEvent = EventOf<'turn.completed' | 'turn.failed' | 'turn.cancelled' | 'turn.interrupted'>

export function isTerminal(event: Event): event is TerminalEvent {
  return (
    event.type === 'turn.completed' || event.type === 'turn.failed' || event.type === 'turn.cancelled' || event.type === 'turn.interrupted'
  )
}

/** Session tokens do not see a session's instructions, neither in `Session` nor in its events. */
export function withoutInstructions(event: Event): Event {
  if (event.type === 'session.created' && event.instructions !== undefined) {
    const { instructions: _, ...rest } = event
    return rest
  }
  if (event.type === 'session.updated' && event.patch.instructions !== undefined) {
    const { instructions: _, ...patch } = event.patch
    return { ...event, patch }
  }
  return event
}
