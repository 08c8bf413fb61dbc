import * as v from 'valibot'
import { jsonBytes, limits } from './limits.ts'
import { ApprovalIdSchema, CompactionIdSchema, SeqSchema, SessionIdSchema, TimeSchema, TurnIdSchema } from './ids.ts'
import { BySchema } from './access.ts'
import { TokenUsageSchema } from './message.ts'
import { notArray } from './not-array.ts'
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
export const ModelNameSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameCharacters))

/** Settings of one session; what is left out follows its agent's definition. */
export const SettingsSchema = v.pipe(
  notArray(
    v.strictObject({
      compaction: v.optional(
        v.strictObject({
          auto: v.optional(v.boolean()),
          reserveTokens: v.optional(positiveInteger),
          keepRecentTokens: v.optional(positiveInteger),
        }),
      ),
      policies: v.optional(
        v.array(v.strictObject({ tool: v.pipe(v.string(), v.minLength(1)), action: v.picklist(['allow', 'ask', 'deny']) })),
      ),
      /** Tools that run without asking in this session. */
      allow: v.optional(v.array(v.string())),
      approvalExpiresInSeconds: v.optional(positiveInteger),
      budgets: v.optional(
        v.strictObject({ steps: v.optional(positiveInteger), tokens: v.optional(positiveInteger), seconds: v.optional(positiveInteger) }),
      ),
      retentionDays: v.optional(positiveInteger),
    }),
  ),
  maxBytes(limits.settingsBytes),
)
export type Settings = v.InferOutput<typeof SettingsSchema>

/** A tool call that waits for a person's yes or no. */
export const ApprovalSchema = v.object({
  id: ApprovalIdSchema,
  turnId: TurnIdSchema,
  toolCallId: v.string(),
  toolName: v.string(),
  input: v.unknown(),
  inputHash: v.string(),
  requestedAt: TimeSchema,
  expiresAt: TimeSchema,
  status: v.picklist(['pending', 'allowed', 'denied', 'expired', 'withdrawn']),
  resolvedBy: v.nullable(BySchema),
  resolvedAt: v.nullable(TimeSchema),
  reason: v.nullable(v.string()),
})
export type Approval = v.InferOutput<typeof ApprovalSchema>

export const SessionStatusSchema = v.picklist(['idle', 'running', 'waiting'])
export type SessionStatus = v.InferOutput<typeof SessionStatusSchema>

const ParentSchema = v.nullable(v.object({ id: SessionIdSchema, seq: SeqSchema }))

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
  /** `turns` counts the turns that were started. */
  usage: v.object({ turns: v.number(), ...TokenUsageSchema.entries }),
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
