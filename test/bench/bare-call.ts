/**
 * The provider asked directly, with the very requests that the server sent to it, in two depths:
 *
 * - `plain`: as a small program would. Node's `fetch` in this process, the stream read to its end, decoded, cut into events,
 *   each event's JSON parsed. Nothing is validated or kept.
 * - `package`: by a Worker that does nothing else, on workerd, with the provider's package as the server uses it. What a turn
 *   takes beyond that is the server's own.
 */
import type { ModelWorld } from './model-world.ts'

const DONE = '[DONE]'

export const depths = ['plain', 'package'] as const
export type Depth = (typeof depths)[number]

export interface BareCall {
  url: string
  /** Of the Worker that makes the call with the package. */
  workerUrl: string
  body: string
}

/** The latest `steps` requests that the server made of `model`, to be made again of `asModel`. */
export async function bareCallsOf(world: ModelWorld, model: string, steps: number, asModel: string): Promise<BareCall[]> {
  const made = (await world.calls(model)).slice(-steps)
  if (made.length < steps) throw new Error(`The server asked ${model} ${made.length} times`)
  return made.map(({ body, path }) => ({
    url: world.upstream.url + path,
    workerUrl: `http://${world.bare.host}:${world.bare.port()}`,
    body: JSON.stringify({ ...(body as Record<string, unknown>), model: asModel }),
  }))
}

/** One call after the other; resolves with the milliseconds until the last answer was read to its end. */
export async function callBare(calls: readonly BareCall[], depth: Depth): Promise<number> {
  const startedAt = performance.now()
  for (const call of calls) await (depth === 'plain' ? readPlainly(call) : readPackaged(call))
  return performance.now() - startedAt
}

async function readPackaged({ workerUrl, body }: BareCall): Promise<void> {
  const response = await fetch(workerUrl, { method: 'POST', body })
  const text = await response.text()
  if (text !== 'finish') throw new Error(`The answer was not read to its end: ${text}`)
}

async function readPlainly({ url, body }: BareCall): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer key-of-the-bench' }
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
