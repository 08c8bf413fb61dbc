import * as v from 'valibot'
import { jsonBytes, limits } from './limits.ts'
import { CompactionIdSchema, SeqSchema, SessionIdSchema, TimeSchema } from './ids.ts'
import { ApprovalSchema } from './approval.ts'
import { TokenUsageSchema } from './message.ts'
import { notArray } from './not-array.ts'
import { ApprovalExpirySchema, BudgetsSchema, CompactionSettingsSchema, PoliciesSchema } from './policy.ts'
import { TurnSchema } from './turn.ts'

function maxBytes<T>(bytes: number) {
  return v.check<T, string>((value) => jsonBytes(value) <= bytes, `must be ${bytes / 1024} KiB of JSON at most`)
}

const positiveInteger = v.pipe(v.number(), v.safeInteger('must be a whole number'), v.minValue(1, 'must be 1 at least'))

export const TitleSchema = v.pipe(v.string(), v.maxLength(limits.titleCharacters, `must be ${limits.titleCharacters} characters at most`))
export const TagSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.tagCharacters))
export const TagsSchema = v.pipe(
  v.array(TagSchema),
  v.maxLength(limits.tags, `must be ${limits.tags} tags at most`),
  v.check((tags) => new Set(tags).size === tags.length, 'must not repeat a tag'),
)
export const InstructionsSchema = v.pipe(v.string(), maxBytes(limits.instructionsBytes))
export const MetadataSchema = v.pipe(notArray(v.record(v.string(), v.unknown())), maxBytes(limits.metadataBytes))
export const AgentNameSchema = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must be 1 to 64 characters of a-z, 0-9, _ and -'))
/** `provider/model`, like `openai/gpt-5-mini`; agents without a model, as the demo, take no notice of it. */
export const ModelNameSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.modelCharacters))

/** Settings of one session; what is left out follows its agent's definition. */
export const SettingsSchema = v.pipe(
  notArray(
    v.strictObject({
      compaction: v.optional(CompactionSettingsSchema),
      policies: v.optional(PoliciesSchema),
      /** Tools that run without asking in this session. */
      allow: v.optional(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameCharacters)))),
      approvalExpiresInSeconds: v.optional(ApprovalExpirySchema),
      budgets: v.optional(BudgetsSchema),
      retentionDays: v.optional(positiveInteger),
    }),
  ),
  maxBytes(limits.settingsBytes),
)
export type Settings = v.InferOutput<typeof SettingsSchema>

export const SessionStatusSchema = v.picklist(['idle', 'running', 'waiting'])
export type SessionStatus = v.InferOutput<typeof SessionStatusSchema>

const ParentSchema = v.nullable(v.object({ id: SessionIdSchema, seq: SeqSchema }))

/** Totals over all turns that were started, the running one's durable steps included; time and rows count when a turn ends. */
export const SessionUsageSchema = v.object({
  turns: v.number(),
  ...TokenUsageSchema.entries,
  activeMs: v.number(),
  storage: v.object({ rowsRead: v.number(), rowsWritten: v.number() }),
})
export type SessionUsage = v.InferOutput<typeof SessionUsageSchema>

/** A session as of `head`: a function of its log up to there, and of nothing else. */
export const SessionSchema = v.object({
  id: SessionIdSchema,
  title: v.nullable(v.string()),
  status: SessionStatusSchema,
  agent: v.string(),
  model: v.nullable(v.string()),
  /** Absent for session tokens. */
  instructions: v.optional(v.nullable(v.string())),
  metadata: v.record(v.string(), v.unknown()),
  tags: v.array(v.string()),
  archived: v.boolean(),
  settings: SettingsSchema,
  createdAt: TimeSchema,
  updatedAt: TimeSchema,
  head: SeqSchema,
  parent: ParentSchema,
  activeTurn: v.nullable(TurnSchema),
  queue: v.array(TurnSchema),
  pendingApprovals: v.array(ApprovalSchema),
  /** What the model would get for the next turn. `tokens` is an estimate of four characters a token. */
  context: v.object({
    tokens: v.number(),
    window: v.number(),
    messages: v.number(),
    compaction: v.nullable(v.object({ id: CompactionIdSchema, firstKeptSeq: SeqSchema })),
  }),
  usage: SessionUsageSchema,
})
export type Session = v.InferOutput<typeof SessionSchema>

/** A session as the index lists it. */
export const SessionSummarySchema = v.object({
  id: SessionIdSchema,
  title: v.nullable(v.string()),
  status: SessionStatusSchema,
  agent: v.string(),
  model: v.nullable(v.string()),
  tags: v.array(v.string()),
  archived: v.boolean(),
  parent: ParentSchema,
  createdAt: TimeSchema,
  updatedAt: TimeSchema,
  head: SeqSchema,
  turns: v.number(),
  lastMessage: v.nullable(v.string()),
})
export type SessionSummary = v.InferOutput<typeof SessionSummarySchema>
