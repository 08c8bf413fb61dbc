/** Answers as schemas, for the API's document: pages, receipts, and what only the edge knows. */
import * as v from 'valibot'
import { KeyScopeSchema, TenantSchema } from '../protocol/access.ts'
import { AgentSchema } from '../protocol/agent.ts'
import { ProblemSchema } from '../protocol/errors.ts'
import { EventSchema } from '../protocol/event.ts'
import { KeyIdSchema, MessageIdSchema, SeqSchema, TimeSchema } from '../protocol/ids.ts'
import { MessageSchema } from '../protocol/message.ts'
import { SessionSchema, SessionSummarySchema } from '../protocol/session.ts'
import { ApprovalSchema } from '../protocol/approval.ts'
import { TurnSchema } from '../protocol/turn.ts'
import type { AnswerSpec } from './route.ts'

const pageBySeq = <S extends v.GenericSchema>(item: S) => v.object({ items: v.array(item), next: v.nullable(SeqSchema) })
const pageByCursor = <S extends v.GenericSchema>(item: S) => v.object({ items: v.array(item), next: v.nullable(v.string()) })

export const SessionPageSchema = pageByCursor(SessionSummarySchema)
export const TurnPageSchema = pageBySeq(TurnSchema)
export const EventPageSchema = v.object({ ...pageBySeq(EventSchema).entries, head: SeqSchema })
export const MessagePageSchema = pageBySeq(MessageSchema)
export const ApprovalPageSchema = pageBySeq(ApprovalSchema)

export const ReceiptSchema = v.object({ turn: TurnSchema, seq: SeqSchema })
export const TurnMessagesSchema = v.object({ turn: TurnSchema, messages: v.array(MessageSchema) })

export const ContextSchema = v.object({
  messages: v.array(MessageSchema),
  tokens: v.number(),
  window: v.number(),
  compaction: v.null(),
  notes: v.array(v.object({ key: v.string(), text: v.string() })),
})

export const SearchPageSchema = pageBySeq(
  v.object({ seq: SeqSchema, messageId: MessageIdSchema, snippet: v.string(), compacted: v.boolean() }),
)

export const SessionTokenSchema = v.object({ token: v.string(), expiresAt: TimeSchema })

export const KeySchema = v.object({
  id: KeyIdSchema,
  name: v.string(),
  scope: KeyScopeSchema,
  tenant: TenantSchema,
  createdAt: TimeSchema,
  revokedAt: v.nullable(TimeSchema),
})
export const NewKeySchema = v.object({ ...v.omit(KeySchema, ['revokedAt']).entries, key: v.string() })
export const KeyPageSchema = pageByCursor(KeySchema)

export const AgentPageSchema = pageByCursor(AgentSchema)
export const HealthSchema = v.object({ status: v.literal('ok') })

/** Named in the document, and referred to by name wherever they occur. */
export const namedSchemas = {
  Session: SessionSchema,
  SessionSummary: SessionSummarySchema,
  Turn: TurnSchema,
  Message: MessageSchema,
  Event: EventSchema,
  Approval: ApprovalSchema,
  Agent: AgentSchema,
  Problem: ProblemSchema,
}

export const json = (description: string, schema: v.GenericSchema): AnswerSpec => ({ description, schema })
export const nothing = (description: string): AnswerSpec => ({ description })
