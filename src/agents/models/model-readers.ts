/** The lists of models that providers publish, each read to the end, within bounds, and parsed to what this server uses. */
import * as v from 'valibot'
import { UpstreamRefusal } from './upstream-failure.ts'
import type { ListedModel, ModelReader, ProviderAccess } from './provider.ts'

const maxModels = 1000
const maxPages = 10

const Count = v.optional(v.nullable(v.number()))
const Name = v.optional(v.nullable(v.string()))

/** Servers of one dialect call the window differently: OpenRouter, Groq, vLLM, Anthropic, llama.cpp. */
const EntrySchema = v.object({
  id: v.string(),
  name: Name,
  display_name: Name,
  context_length: Count,
  context_window: Count,
  max_model_len: Count,
  max_input_tokens: Count,
  meta: v.optional(v.nullable(v.object({ n_ctx: Count, n_ctx_train: Count }))),
})

const PageSchema = v.object({
  data: v.array(v.unknown()),
  has_more: v.optional(v.nullable(v.boolean())),
  last_id: v.optional(v.nullable(v.string())),
})

/** Of OpenAI itself, which lists everything it has: what does not chat. Other servers say nothing of the kind of a model. */
const otherThanChat = /embedding|whisper|tts|dall-e|image|moderation|realtime|audio|transcribe|sora|davinci|babbage|instruct/

export const readOpenAIModels: ModelReader = async ({ address, apiKey, isOfficial }, signal) => {
  const headers: Record<string, string> = apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` }
  const { data } = await readPage(`${address}/models`, headers, signal)
  return modelsIn(data).filter(({ id }) => !isOfficial || !otherThanChat.test(id))
}

export function anthropicHeaders({ apiKey }: ProviderAccess): Record<string, string> {
  return { 'anthropic-version': '2023-06-01', ...(apiKey !== '' && { 'x-api-key': apiKey }) }
}

export const readAnthropicModels: ModelReader = async (access, signal) => {
  const entries: unknown[] = []
  let after = ''
  for (let page = 0; page < maxPages; page++) {
    const { data, has_more, last_id } = await readPage(`${access.address}/models?limit=1000${after}`, anthropicHeaders(access), signal)
    entries.push(...data)
    if (!has_more || !last_id) break
    after = `&after_id=${encodeURIComponent(last_id)}`
  }
  return modelsIn(entries)
}

const perPage = 100

export const readWorkersAIModels: ModelReader = async ({ binding }, signal) => {
  const found: ListedModel[] = []
  if (!binding) return found
  for (let page = 1; page <= maxPages; page++) {
    signal.throwIfAborted()
    const models = await binding.models({ task: 'Text Generation', page, per_page: perPage })
    found.push(...models.map(({ name, properties }) => ({ id: name, name: null, window: windowIn(properties) })))
    if (models.length < perPage) break
  }
  return found
}

async function readPage(address: string, headers: Record<string, string>, signal: AbortSignal): Promise<v.InferOutput<typeof PageSchema>> {
  const response = await fetch(address, { headers: { accept: 'application/json', ...headers }, signal })
  const text = await response.text()
  if (!response.ok) throw new UpstreamRefusal(response.status, Object.fromEntries(response.headers), text)
  return v.parse(PageSchema, JSON.parse(text))
}

/** Entries that cannot be read are left out: one odd model must not hide the others. */
function modelsIn(entries: readonly unknown[]): ListedModel[] {
  return entries.slice(0, maxModels).flatMap((entry) => {
    const parsed = v.safeParse(EntrySchema, entry)
    return parsed.success ? [toModel(parsed.output)] : []
  })
}

function toModel(entry: v.InferOutput<typeof EntrySchema>): ListedModel {
  const { id, name, display_name, context_length, context_window, max_model_len, max_input_tokens, meta } = entry
  const told = [context_length, context_window, max_model_len, max_input_tokens, meta?.n_ctx, meta?.n_ctx_train]
  return { id, name: display_name ?? name ?? null, window: told.find((tokens) => typeof tokens === 'number' && tokens > 0) ?? null }
}

function windowIn(properties: readonly { property_id: string; value: unknown }[]): number | null {
  const tokens = Number(properties.find(({ property_id }) => property_id === 'context_window')?.value)
  return tokens > 0 ? tokens : null
}
