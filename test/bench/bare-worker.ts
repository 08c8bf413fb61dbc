/**
 * A Worker that does nothing but pass a request on to the provider, by the provider's package, and read its answer: what a step
 * would cost if the server did nothing. It is bundled and served as the server is.
 */
import { DurableObject } from 'cloudflare:workers'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'

/** The configuration binds a class of this name. */
export class SessionObject extends DurableObject {}

/** Whatever the package is asked, the provider gets the request as it came. */
const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'In the request already' }] }]

export default {
  async fetch(request, { OPENAI_BASE_URL = '', OPENAI_API_KEY = '' }) {
    const body: Record<string, unknown> = await request.json()
    const provider = createOpenAICompatible({
      name: 'openai',
      baseURL: OPENAI_BASE_URL,
      apiKey: OPENAI_API_KEY,
      includeUsage: true,
      transformRequestBody: () => body,
    })
    const { stream } = await provider(String(body['model'])).doStream({ prompt })
    return new Response(await lastPartOf(stream))
  },
} satisfies ExportedHandler<Env>

async function lastPartOf(stream: ReadableStream<LanguageModelV4StreamPart>): Promise<string> {
  let last = 'nothing'
  for await (const part of stream) last = part.type
  return last
}
