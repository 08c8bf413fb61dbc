import * as v from 'valibot'
import { BySchema } from './by.ts'
import { ErrorSchema } from './errors.ts'
import { TimeSchema, TurnIdSchema } from './ids.ts'
import { PartSchema, TokenUsageSchema } from './message.ts'

/** What to do with a turn that arrives while another runs. */
export const WhenBusySchema = v.picklist(['enqueue', 'reject', 'interrupt', 'steer', 'collect'])
export type WhenBusy = v.InferOutput<typeof WhenBusySchema>

export const TurnSourceSchema = v.picklist(['api', 'socket', 'schedule', 'import'])
export type TurnSource = v.InferOutput<typeof TurnSourceSchema>

export const TurnStatusSchema = v.picklist(['queued', 'running', 'waiting', 'completed', 'failed', 'cancelled', 'interrupted'])
export type TurnStatus = v.InferOutput<typeof TurnStatusSchema>

/** What a turn cost: tokens of its model calls, milliseconds its agent ran, rows of the session's own storage. */
export const TurnUsageSchema = v.object({
  ...TokenUsageSchema.entries,
  activeMs: v.number(),
  storage: v.object({ rowsRead: v.number(), rowsWritten: v.number() }),
})
export type TurnUsage = v.InferOutput<typeof TurnUsageSchema>

/** What a turn cost, tokens aside. */
export type TurnCost = Pick<TurnUsage, 'activeMs' | 'storage'>

/** What becomes of a turn whose server stopped: done again from its last durable step, or ended as interrupted. */
export const RecoverySchema = v.picklist(['resume', 'interrupt'])
export type Recovery = v.InferOutput<typeof RecoverySchema>

export const TurnSchema = v.object({
  id: TurnIdSchema,
  status: TurnStatusSchema,
  /** Place in line: 0 is running (or has run), 1 is next. */
  position: v.number(),
  input: v.array(PartSchema),
  by: BySchema,
  source: TurnSourceSchema,
  queuedAt: TimeSchema,
  startedAt: v.nullable(TimeSchema),
  finishedAt: v.nullable(TimeSchema),
  /** How often it was started: 0 while queued, 1 normally, more after recoveries. */
  attempt: v.number(),
  finishReason: v.nullable(v.string()),
  error: v.nullable(ErrorSchema),
  usage: TurnUsageSchema,
})
export type Turn = v.InferOutput<typeof TurnSchema>

export const noTurnUsage: TurnUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  reasoningTokens: 0,
  activeMs: 0,
  storage: { rowsRead: 0, rowsWritten: 0 },
}
