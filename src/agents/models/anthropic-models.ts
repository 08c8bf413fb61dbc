/**
 * Models of Anthropic. Imported when the first of them is needed; of the package only the language model, for the provider that
 * it offers brings files, batches and two dozen tools along.
 */
import { AnthropicLanguageModel } from '@ai-sdk/anthropic/internal'
import { anthropicHeaders } from './model-readers.ts'
import type { ModelMaker, ProviderAccess } from './provider.ts'

export function anthropicModels(access: ProviderAccess): ModelMaker {
  const configuration = {
    provider: 'anthropic.messages',
    baseURL: access.address,
    headers: () => anthropicHeaders(access),
    supportedUrls: () => ({ 'image/*': [/^https?:/], 'application/pdf': [/^https?:/] }),
  }
  return (modelId) => new AnthropicLanguageModel(modelId, configuration)
}
