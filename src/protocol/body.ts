/** HTTP bodies and queries. Objects are strict: a field we do not know is refused, so that a typo is never ignored. */
import * as v from 'valibot'
import { KeyScopeSchema, TenantSchema, TokenAccessSchema } from './access.ts'
import { DecisionSchema } from './approval.ts'
import { InputSchema } from './message.ts'
import { limits } from './limits.ts'
import { notArray } from './not-array.ts'
import { AgentNameSchema, InstructionsSchema, MetadataSchema, ModelNameSchema, SettingsSchema, TagsSchema, TitleSchema } from './session.ts'
import { WhenBusySchema } from './turn.ts'

const NameSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameCharacters))

export const CreateSessionSchema = notArray(
  v.strictObject({
    title: v.optional(TitleSchema),
    agent: v.optional(AgentNameSchema),
    model: v.optional(ModelNameSchema),
    instructions: v.optional(InstructionsSchema),
    metadata: v.optional(MetadataSchema),
    tags: v.optional(TagsSchema),
    settings: v.optional(SettingsSchema),
  }),
)
export type CreateSession = v.InferOutput<typeof CreateSessionSchema>

/** What is left out stays; `null` clears; `metadata`, `tags` and `settings` are replaced whole. */
export const UpdateSessionSchema = notArray(
  v.strictObject({
    title: v.optional(v.nullable(TitleSchema)),
    agent: v.optional(AgentNameSchema),
    model: v.optional(v.nullable(ModelNameSchema)),
    instructions: v.optional(v.nullable(InstructionsSchema)),
    metadata: v.optional(MetadataSchema),
    tags: v.optional(TagsSchema),
    archived: v.optional(v.boolean()),
    settings: v.optional(SettingsSchema),
  }),
)
export type UpdateSession = v.InferOutput<typeof UpdateSessionSchema>

/** Fields of an update that need more than write access (verb `configure`). */
export const configurationFields = ['agent', 'model', 'instructions', 'archived', 'settings'] as const

/** Also of a patch that was not parsed yet: authorisation comes first. */
export function isConfiguration(patch: Readonly<Record<string, unknown>>): boolean {
  return configurationFields.some((field) => patch[field] !== undefined)
}

export const SubmitTurnSchema = v.strictObject({
  input: InputSchema,
  whenBusy: v.optional(WhenBusySchema, 'enqueue'),
})
export type SubmitTurn = v.InferOutput<typeof SubmitTurnSchema>

export const AnswerApprovalSchema = notArray(
  v.strictObject({
    decision: DecisionSchema,
    /** `session`: the tool runs without asking from now on. */
    scope: v.optional(v.picklist(['once', 'session']), 'once'),
    reason: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(limits.reasonCharacters))),
  }),
)
export type AnswerApproval = v.InferOutput<typeof AnswerApprovalSchema>

export const CreateKeySchema = v.strictObject({
  name: NameSchema,
  scope: v.optional(KeyScopeSchema, 'member'),
  tenant: v.optional(TenantSchema),
})

export const CreateTokenSchema = v.strictObject({
  access: TokenAccessSchema,
  expiresInSeconds: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(limits.tokenSeconds)),
  name: v.optional(NameSchema),
})
export type CreateToken = v.InferOutput<typeof CreateTokenSchema>

export const EmptySchema = notArray(v.strictObject({}))

/** A page of anything. `next` is what to pass on for the next page, null at the end. */
export interface Page<T, C = number> {
  items: T[]
  next: C | null
}
