/** Messages and their parts: the one codec for what is stored, sent and given to a model. */
import * as v from 'valibot'
import { limits } from './limits.ts'
import { MessageIdSchema, SeqSchema, TimeSchema, TurnIdSchema } from './ids.ts'

const TextPartSchema = v.strictObject({ type: v.literal('text'), text: v.string() })

/** What a provider wants back with a part in the next step, by provider: a signature of its reasoning, say. Opaque to clients. */
const ProviderMetadataSchema = v.record(v.string(), v.record(v.string(), v.unknown()))
export type ProviderMetadata = v.InferOutput<typeof ProviderMetadataSchema>
const ofProvider = { providerMetadata: v.optional(ProviderMetadataSchema) }

const OutputTextPartSchema = v.strictObject({ ...TextPartSchema.entries, ...ofProvider })

/** A file by address (`url`, http or https) or by value (`data`, base64); exactly one of the two. */
const FilePartSchema = v.pipe(
  v.strictObject({
    type: v.literal('file'),
    mediaType: v.pipe(v.string(), v.maxLength(255), v.regex(/^[\w.+-]+\/[\w.+*-]+$/, 'must be a media type like image/png')),
    url: v.optional(v.pipe(v.string(), v.maxLength(8192), v.url(), v.regex(/^https?:/i, 'must be an http or https address'))),
    data: v.optional(v.pipe(v.string(), v.base64())),
    name: v.optional(v.pipe(v.string(), v.maxLength(255))),
  }),
  v.check((part) => (part.url === undefined) !== (part.data === undefined), 'needs either url or data'),
)

const ReasoningPartSchema = v.strictObject({ type: v.literal('reasoning'), text: v.string(), ...ofProvider })

/** `input` is the JSON's text while it streams, and for good when it is no JSON. */
const ToolCallPartSchema = v.strictObject({
  type: v.literal('tool-call'),
  toolCallId: v.string(),
  toolName: v.string(),
  input: v.unknown(),
  ...ofProvider,
})

/** `outputRef` and `bytes` stand on an output too large to inline: `output` is then a preview. */
const ToolResultPartSchema = v.strictObject({
  type: v.literal('tool-result'),
  toolCallId: v.string(),
  toolName: v.string(),
  output: v.unknown(),
  isError: v.boolean(),
  outputRef: v.optional(v.string()),
  bytes: v.optional(v.number()),
})

/** What a client may submit (rule SEC3): text and files, never an assistant's or a tool's words. */
export const InputPartSchema = v.variant('type', [TextPartSchema, FilePartSchema])
export type InputPart = v.InferOutput<typeof InputPartSchema>

export const PartSchema = v.variant('type', [
  OutputTextPartSchema,
  FilePartSchema,
  ReasoningPartSchema,
  ToolCallPartSchema,
  ToolResultPartSchema,
])
export type Part = v.InferOutput<typeof PartSchema>
export type ToolCallPart = v.InferOutput<typeof ToolCallPartSchema>
export type ToolResultPart = v.InferOutput<typeof ToolResultPartSchema>

/** A turn's input: a plain string stands for one text part. */
export const InputSchema = v.union([
  v.pipe(
    v.string(),
    v.minLength(1, 'must not be empty'),
    v.transform((text): InputPart[] => [{ type: 'text', text }]),
  ),
  v.pipe(v.array(InputPartSchema), v.minLength(1, 'must have a part'), v.maxLength(limits.inputParts)),
])

export const TokenUsageSchema = v.object({
  inputTokens: v.number(),
  outputTokens: v.number(),
  cachedTokens: v.number(),
  reasoningTokens: v.number(),
})
export type TokenUsage = v.InferOutput<typeof TokenUsageSchema>

export const MessageSchema = v.object({
  id: MessageIdSchema,
  /** Where it stands on the path: the seq of its `turn.started` (a turn's input) or of its `message.completed`. */
  seq: SeqSchema,
  turnId: TurnIdSchema,
  role: v.picklist(['user', 'assistant', 'tool']),
  parts: v.array(PartSchema),
  createdAt: TimeSchema,
  model: v.optional(v.string()),
  agentVersion: v.optional(v.string()),
  usage: v.optional(TokenUsageSchema),
  /**
   * `stop`, `length`, `content-filter`, `tool-calls`, `steered`, `other`; or how the turn was cut: `cancelled`, `interrupted`,
   * `error`, `time-limit`.
   */
  finishReason: v.optional(v.string()),
  /** The message left the context: a summary stands for it there. */
  compacted: v.optional(v.boolean()),
})
export type Message = v.InferOutput<typeof MessageSchema>
