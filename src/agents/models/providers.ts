/**
 * The providers, in the order in which a default model is looked for. Each package is imported when the first model of it is
 * needed, so a Worker starts without any of them.
 *
 * Adding another provider of the AI SDK is one line: its package, the variable with its key, a default model.
 *
 *     { id: 'google', keyVariable: 'GOOGLE_API_KEY', defaultModel: 'gemini-3-flash',
 *       load: async ({ apiKey }) => (await import('@ai-sdk/google')).createGoogleGenerativeAI({ apiKey }) },
 *
 * Its key is a secret when deployed; docs/operations.md says how a local server gets it.
 */
import type { ProviderKind } from './provider.ts'

const anthropicImages = /^image\/(?:jpeg|png|gif|webp)$/
const openAIFiles = /^(?:image\/|audio\/(?:wav|mp3|mpeg)$|application\/pdf$)/

export const providers: readonly ProviderKind[] = [
  {
    id: 'openai',
    keyVariable: 'OPENAI_API_KEY',
    addressVariable: 'OPENAI_BASE_URL',
    officialAddress: 'https://api.openai.com/v1',
    defaultModel: 'gpt-5-mini',
    load: async (access) => (await import('./openai-models.ts')).openAIModels(access),
    list: async (access, signal) => (await import('./model-readers.ts')).readOpenAIModels(access, signal),
    traits: ({ isOfficial }) => ({
      reasoning: isOfficial ? 'never' : 'turn',
      takesFile: (mediaType, isAddress) => (isAddress ? mediaType.startsWith('image/') : openAIFiles.test(mediaType)),
    }),
    // Steps of one session meet the same cache. Servers that only speak the dialect may refuse a field they do not know.
    options: ({ isOfficial }, sessionId) => (isOfficial ? { openai: { prompt_cache_key: sessionId } } : {}),
  },
  {
    id: 'anthropic',
    keyVariable: 'ANTHROPIC_API_KEY',
    addressVariable: 'ANTHROPIC_BASE_URL',
    officialAddress: 'https://api.anthropic.com/v1',
    addressEnding: '/v1',
    defaultModel: 'claude-sonnet-4-5',
    load: async (access) => (await import('./anthropic-models.ts')).anthropicModels(access),
    list: async (access, signal) => (await import('./model-readers.ts')).readAnthropicModels(access, signal),
    traits: () => ({
      reasoning: 'signed',
      cacheMarks: true,
      takesFile: (mediaType) => anthropicImages.test(mediaType) || mediaType === 'application/pdf',
    }),
  },
  {
    id: 'workers-ai',
    isBound: true,
    defaultModel: '@cf/meta/llama-3.3-70b-instruct-fp8-fast',
    load: async (access) => (await import('./workers-ai-models.ts')).workersAIModels(access),
    list: async (access, signal) => (await import('./model-readers.ts')).readWorkersAIModels(access, signal),
    traits: () => ({ reasoning: 'turn', takesFile: (mediaType, isAddress) => !isAddress && mediaType.startsWith('image/') }),
  },
]
