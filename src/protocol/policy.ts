/** What may run without asking: policies by tool name, and the budgets of a turn. */
import * as v from 'valibot'
import { limits } from './limits.ts'

export const PolicyActionSchema = v.picklist(['allow', 'ask', 'deny'])
export type PolicyAction = v.InferOutput<typeof PolicyActionSchema>

/** `tool` is a tool's name, in which `*` stands for any characters: `github__*`. */
export const PolicySchema = v.strictObject({
  tool: v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameCharacters)),
  action: PolicyActionSchema,
})
export type Policy = v.InferOutput<typeof PolicySchema>

export const PoliciesSchema = v.pipe(v.array(PolicySchema), v.maxLength(limits.policies, `must be ${limits.policies} policies at most`))

const positiveInteger = v.pipe(v.number(), v.safeInteger('must be a whole number'), v.minValue(1, 'must be 1 at least'))

/** Of one turn: model calls; tokens in and out over all of them; seconds of work, waiting for people not counted. */
export const BudgetsSchema = v.strictObject({
  steps: v.optional(v.pipe(positiveInteger, v.maxValue(1000))),
  tokens: v.optional(positiveInteger),
  seconds: v.optional(positiveInteger),
})
export type Budgets = v.InferOutput<typeof BudgetsSchema>

export const CompactionSettingsSchema = v.strictObject({
  auto: v.optional(v.boolean()),
  reserveTokens: v.optional(positiveInteger),
  keepRecentTokens: v.optional(positiveInteger),
})

export const ApprovalExpirySchema = v.pipe(positiveInteger, v.maxValue(31_536_000, 'must be a year at most'))

/** How a turn ends that has spent a budget; the finish reason of its `turn.completed`. */
export const budgetFinishReasons = { steps: 'step-limit', tokens: 'token-limit', seconds: 'time-limit' } as const
