/** Models of OpenAI and of servers that speak its chat completions. Imported when the first of them is needed. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { ModelMaker, ProviderAccess } from './provider.ts'

export function openAIModels({ apiKey, address, isOfficial }: ProviderAccess): ModelMaker {
  return createOpenAICompatible({
    name: 'openai',
    baseURL: address,
    includeUsage: true,
    ...(apiKey !== '' && { apiKey }),
    ...(isOfficial && { transformRequestBody: withCompletionTokens }),
  })
}

/** OpenAI's newer models refuse `max_tokens`, which is all that other servers of its dialect know (2026-11). */
function withCompletionTokens({ max_tokens, ...body }: Record<string, unknown>): Record<string, unknown> {
  return { ...body, max_completion_tokens: max_tokens }
}
