/** Agents as configuration: what a tenant defines over the API, and what it reads back. Versions count 1, 2, 3 … by name. */
import * as v from 'valibot'
import { TimeSchema } from './ids.ts'
import { jsonBytes, limits } from './limits.ts'
import { notArray } from './not-array.ts'
import { ApprovalExpirySchema, BudgetsSchema, CompactionSettingsSchema, PoliciesSchema } from './policy.ts'
import { AgentNameSchema, InstructionsSchema } from './session.ts'
import { RecoverySchema } from './turn.ts'

/** When a call of a tool asks a person: never, always, or unless a policy allows it. */
export const ToolApprovalSchema = v.picklist(['never', 'always', 'policy'])
export type ToolApproval = v.InferOutput<typeof ToolApprovalSchema>

export const ToolNameSchema = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_-]{1,64}$/, 'must be 1 to 64 characters of a-z, A-Z, 0-9, _ and -'))

/** What a secret reads as. Sent back in an update, it means: as it was. */
export const HIDDEN_SECRET = '***'

const HttpUrlSchema = v.pipe(v.string(), v.maxLength(2048), v.url(), v.regex(/^https?:\/\//i, 'must be an http or https address'))
const DescriptionSchema = v.pipe(v.string(), v.maxLength(1024))

/** Milliseconds that one call may take, and bytes that it may answer before its output is cut. */
const bounds = {
  timeoutMs: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(100), v.maxValue(600_000))),
  maxOutputBytes: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(256), v.maxValue(limits.outputBytes))),
}

/** A tool at an address: the call is POSTed there, signed as Standard Webhooks say (https://www.standardwebhooks.com). */
export const HttpToolSchema = notArray(
  v.strictObject({
    type: v.literal('http'),
    name: ToolNameSchema,
    description: DescriptionSchema,
    url: HttpUrlSchema,
    /** JSON Schema of the call's input; an object's. */
    inputSchema: notArray(v.record(v.string(), v.unknown())),
    /** `whsec_` and base64 of 24 to 64 bytes. Made by the server when left out; told in the answer, and hidden from then on. */
    secret: v.optional(
      v.union([v.literal(HIDDEN_SECRET), v.pipe(v.string(), v.regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be whsec_ and base64'))]),
    ),
    approval: v.optional(ToolApprovalSchema),
    /** A call whose end was never heard of may be sent again, under the same `webhook-id`. */
    idempotent: v.optional(v.boolean()),
    ...bounds,
  }),
)
export type HttpTool = v.InferOutput<typeof HttpToolSchema>

/** A server of the Model Context Protocol, reached over streamable HTTP. Its tools are called `name__tool`. */
export const McpServerSchema = notArray(
  v.strictObject({
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'must be 1 to 31 characters of a-z, 0-9 and -')),
    url: HttpUrlSchema,
    /** Sent with every request; values are secrets, and hidden when read. */
    headers: v.optional(
      notArray(
        v.record(v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,64}$/)), v.pipe(v.string(), v.maxLength(4096), v.regex(/^[\x20-\x7e]*$/))),
      ),
    ),
    /** Which of its tools to offer, by their own names; all when left out. */
    tools: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(128))), v.maxLength(limits.mcpTools))),
    approval: v.optional(ToolApprovalSchema),
    ...bounds,
  }),
)
export type McpServer = v.InferOutput<typeof McpServerSchema>

/** A built-in tool by its name, or a tool at an address. */
const AgentToolSchema = v.union([ToolNameSchema, HttpToolSchema])

function distinct<T extends string | { name: string }>(what: string) {
  return v.check<T[], string>((items) => {
    const names = items.map((item) => (typeof item === 'string' ? item : item.name))
    return new Set(names).size === names.length
  }, `must not name ${what} twice`)
}

const seconds = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(3600))

const fields = {
  description: v.optional(DescriptionSchema),
  instructions: v.optional(InstructionsSchema),
  /** `provider/model`; the server's default model when left out. */
  model: v.optional(
    v.pipe(v.string(), v.maxLength(limits.modelCharacters), v.regex(/^[a-z0-9-]+\/\S+$/, 'must be provider/model, like openai/gpt-5-mini')),
  ),
  /** Tokens of context that the model takes; known by the server for common models. */
  window: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1000), v.maxValue(100_000_000))),
  maxOutputTokens: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  temperature: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
  reasoning: v.optional(v.picklist(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])),
  tools: v.optional(v.pipe(v.array(AgentToolSchema), v.maxLength(limits.agentTools), distinct('a tool'))),
  mcpServers: v.optional(v.pipe(v.array(McpServerSchema), v.maxLength(limits.mcpServers), distinct('a server'))),
  policies: v.optional(PoliciesSchema),
  budgets: v.optional(BudgetsSchema),
  compaction: v.optional(CompactionSettingsSchema),
  approvalExpiresInSeconds: v.optional(ApprovalExpirySchema),
  /** Of one model call: seconds in all, and seconds without a word from the provider. */
  timeouts: v.optional(v.strictObject({ stepSeconds: v.optional(seconds), stallSeconds: v.optional(seconds) })),
  /** What becomes of a turn whose server stopped: done again from its last durable step, or ended as interrupted. */
  recovery: v.optional(RecoverySchema),
}

function maxAgentBytes<T>() {
  return v.check<T, string>((agent) => jsonBytes(agent) <= limits.agentBytes, `must be ${limits.agentBytes / 1024} KiB at most`)
}

/** Everything of an agent but its name and version. */
export const AgentDefinitionSchema = v.strictObject(fields)
export type AgentDefinition = v.InferOutput<typeof AgentDefinitionSchema>

export const CreateAgentSchema = v.pipe(notArray(v.strictObject({ name: AgentNameSchema, ...fields })), maxAgentBytes())
export type CreateAgent = v.InferOutput<typeof CreateAgentSchema>

type Nullable<T extends v.ObjectEntries> = { [K in keyof T]: v.OptionalSchema<v.NullableSchema<T[K], undefined>, undefined> }
const nullable = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, v.optional(v.nullable(field))])) as Nullable<
  typeof fields
>

/** What is left out stays; `null` goes back to the default; lists and objects are replaced whole. */
export const UpdateAgentSchema = v.pipe(notArray(v.strictObject(nullable)), maxAgentBytes())
export type UpdateAgent = v.InferOutput<typeof UpdateAgentSchema>

/** An agent as clients see it. Those that come with the server have no version and cannot be changed. */
export const AgentSchema = v.object({
  name: AgentNameSchema,
  version: v.nullable(v.number()),
  builtIn: v.boolean(),
  /** Answers sessions that name no agent. */
  default: v.boolean(),
  ...fields,
  description: v.string(),
  /** Null: the agent needs none, as the demo, or takes the server's default. */
  model: v.nullable(v.string()),
  window: v.number(),
  createdAt: v.nullable(TimeSchema),
  updatedAt: v.nullable(TimeSchema),
})
export type AgentView = v.InferOutput<typeof AgentSchema>

/** A version of a tenant's agent, for those who answer with it: every secret as it is, those that cannot be opened left out. */
export interface StoredAgent {
  name: string
  version: number
  definition: AgentDefinition
  createdAt: number
  updatedAt: number
}
