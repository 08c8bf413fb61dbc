/**
 * The provider asked directly, with the very requests that the server sent to it, from this process, in two depths:
 *
 * - `plain`: as a small program would. Node's `fetch`, the stream read to its end, decoded, cut into events, each event's JSON
 *   parsed. Nothing is validated or kept.
 * - `package`: by the provider's package of the AI SDK, as the server does it, each part of its stream taken and dropped.
 */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ModelWorld } from './model-world.ts'

const DONE = '[DONE]'
const key = 'key-of-the-bench'

export const depths = ['plain', 'package'] as const
export type Depth = (typeof depths)[number]

export interface BareCall {
  url: string
  body: string
  /** The same request, whatever the package is asked. */
  packaged: LanguageModelV4
}

/** The latest `steps` requests that the server made of `model`, to be made again of `asModel`. */
export async function bareCallsOf(world: ModelWorld, model: string, steps: number, asModel: string): Promise<BareCall[]> {
  const made = (await world.calls(model)).slice(-steps)
  if (made.length < steps) throw new Error(`The server asked ${model} ${made.length} times`)
  return made.map(({ body, path }) => {
    const request = { ...(body as Record<string, unknown>), model: asModel }
    const baseURL = `${world.upstream.url}/v1`
    const provider = createOpenAICompatible({
      name: 'openai',
      baseURL,
      apiKey: key,
      includeUsage: true,
      transformRequestBody: () => request,
    })
    return { url: world.upstream.url + path, body: JSON.stringify(request), packaged: provider(asModel) }
  })
}

/** One call after the other; resolves with the milliseconds until the last stream has ended. */
export async function callBare(calls: readonly BareCall[], depth: Depth): Promise<number> {
  const startedAt = performance.now()
  for (const call of calls) await (depth === 'plain' ? readPlainly(call) : readPackaged(call))
  return performance.now() - startedAt
}

async function readPackaged({ packaged }: BareCall): Promise<void> {
  const { stream } = await packaged.doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'In the request already' }] }] })
  let isFinished = false
  // The stream of the platform's types has no async iterator, but Node's has.
  for await (const part of stream as unknown as AsyncIterable<LanguageModelV4StreamPart>) {
    if (part.type === 'error') throw new Error('The provider failed', { cause: part.error })
    isFinished ||= part.type === 'finish'
  }
  if (!isFinished) throw new Error('The answer was cut')
}

async function readPlainly({ url, body }: BareCall): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const response = await fetch(url, { method: 'POST', headers, body })
  if (response.status !== 200 || !response.body) throw new Error(`The provider refused: ${await response.text()}`)
  if (!(await endsProperly(response.body))) throw new Error('The answer was cut')
}

async function endsProperly(stream: AsyncIterable<Uint8Array>): Promise<boolean> {
  const decoder = new TextDecoder()
  let unread = ''
  let isDone = false
  for await (const bytes of stream) {
    const events = (unread + decoder.decode(bytes, { stream: true })).split('\n\n')
    unread = events.pop() ?? ''
    for (const event of events) isDone ||= isLast(event.slice('data: '.length))
  }
  return isDone
}

function isLast(text: string): boolean {
  if (text === DONE) return true
  JSON.parse(text)
  return false
}
