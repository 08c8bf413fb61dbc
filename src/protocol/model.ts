/** What `GET /v1/models` tells. */
import * as v from 'valibot'
import { TimeSchema } from './ids.ts'

export const ModelSchema = v.object({
  /** `provider/model`: what an agent or a session names. */
  id: v.string(),
  provider: v.string(),
  /** For people, where the provider has one. */
  name: v.nullable(v.string()),
  /** Tokens of context it takes: what the provider says, or what is known of the model. */
  window: v.number(),
  /** Answers agents that name no model. */
  default: v.boolean(),
})

export const ProviderStateSchema = v.object({
  id: v.string(),
  /** `down`: its list could not be read, or its circuit is open; models that were known before are still listed. */
  status: v.picklist(['ok', 'down', 'not_configured']),
  /** Of its circuit breaker in this isolate: `open` means that calls fail at once until it has rested. */
  circuit: v.picklist(['closed', 'open', 'half-open']),
  /** One sentence for people; null: nothing is wrong. */
  error: v.nullable(v.string()),
  /** When its list was last read. */
  checkedAt: v.nullable(TimeSchema),
})

export const ModelListSchema = v.object({ items: v.array(ModelSchema), providers: v.array(ProviderStateSchema) })
export type ModelList = v.InferOutput<typeof ModelListSchema>
export type ProviderState = v.InferOutput<typeof ProviderStateSchema>
