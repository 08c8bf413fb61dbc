/** Approvals: tool calls that wait for a person's yes or no, bound to the very arguments they were shown. */
import * as v from 'valibot'
import { BySchema } from './by.ts'
import { ApprovalIdSchema, TimeSchema, TurnIdSchema } from './ids.ts'

export const ApprovalStatusSchema = v.picklist(['pending', 'allowed', 'denied', 'expired', 'withdrawn'])
export type ApprovalStatus = v.InferOutput<typeof ApprovalStatusSchema>

export const ApprovalSchema = v.object({
  id: ApprovalIdSchema,
  turnId: TurnIdSchema,
  toolCallId: v.string(),
  toolName: v.string(),
  input: v.unknown(),
  /** Of tool and input; what runs after an allow must have the same one (rule APR4). */
  inputHash: v.string(),
  requestedAt: TimeSchema,
  expiresAt: TimeSchema,
  status: ApprovalStatusSchema,
  resolvedBy: v.nullable(BySchema),
  resolvedAt: v.nullable(TimeSchema),
  reason: v.nullable(v.string()),
})
export type Approval = v.InferOutput<typeof ApprovalSchema>

export const DecisionSchema = v.picklist(['allow', 'deny'])
export type ApprovalDecision = v.InferOutput<typeof DecisionSchema>

/** The status that each answer leads to. */
export const statusOfDecision = { allow: 'allowed', deny: 'denied' } as const satisfies Record<ApprovalDecision, ApprovalStatus>
