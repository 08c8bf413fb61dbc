/**
 * The provider asked directly, as a program would without a server between: the very request that the server sent, by Node's
 * `fetch`, its stream read to the end, decoded, cut into events and each event's JSON parsed. Nothing is validated or kept.
 */
import type { ModelWorld } from './model-world.ts'

const DONE = '[DONE]'

export interface BareCall {
  url: string
  body: string
}

/** The latest `steps` requests that the server made of `model`, to be made again of `asModel`. */
export async function bareCallsOf(world: ModelWorld, model: string, steps: number, asModel: string): Promise<BareCall[]> {
  const made = (await world.calls(model)).slice(-steps)
  if (made.length < steps) throw new Error(`The server asked ${model} ${made.length} times`)
  return made.map(({ body, path }) => ({
    url: world.upstream.url + path,
    body: JSON.stringify({ ...(body as Record<string, unknown>), model: asModel }),
  }))
}

/** One call after the other; resolves with the milliseconds until the last stream has ended. */
export async function callBare(calls: readonly BareCall[]): Promise<number> {
  const startedAt = performance.now()
  for (const call of calls) await readAnswer(call)
  return performance.now() - startedAt
}

async function readAnswer({ url, body }: BareCall): Promise<void> {
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

function isLast(data: string): boolean {
  if (data === DONE) return true
  JSON.parse(data)
  return false
}
