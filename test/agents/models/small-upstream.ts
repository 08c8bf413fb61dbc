/** A provider on loopback, for one test: it answers what the test says, and remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Asked {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: unknown
  /** Resolves with the time when the connection was closed from the other side before the answer ended. */
  dropped: Promise<number>
}

export interface SmallUpstream {
  url: string
  asked: Asked[]
}

export type Answer = (response: ServerResponse, asked: Asked, count: number) => void | Promise<void>

export async function smallUpstream(answer: Answer): Promise<SmallUpstream> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (bytes) => (text += String(bytes)))
    request.on('end', () => {
      const dropped = new Promise<number>((resolve) => response.once('close', () => response.writableEnded || resolve(performance.now())))
      const { method = '', url = '', headers } = request
      const entry = { method, path: url, headers, body: text === '' ? null : (JSON.parse(text) as unknown), dropped }
      asked.push(entry)
      void answer(response, entry, asked.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** One frame of SSE; with `type`, in Anthropic's way. */
export function frame(value: { type?: string } & Record<string, unknown>): string {
  return `${value.type === undefined ? '' : `event: ${value.type}\n`}data: ${JSON.stringify(value)}\n\n`
}

export function startStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
}

const chunk = (delta: object, finish_reason: string | null = null) => frame({ id: 'c', choices: [{ index: 0, delta, finish_reason }] })

/** A chat completion of these words, as OpenAI streams it. */
export function chatCompletion(words: readonly string[]): string[] {
  const usage = { prompt_tokens: 20, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 8 } }
  return [
    ...words.map((content) => chunk({ content })),
    chunk({}, 'stop'),
    frame({ id: 'c', choices: [], usage: { ...usage, completion_tokens_details: { reasoning_tokens: 2 } } }),
    'data: [DONE]\n\n',
  ]
}

/** The same words as Anthropic streams them, behind a signed thought. */
export function anthropicMessage(words: readonly string[]): string[] {
  const usage = { input_tokens: 12, cache_read_input_tokens: 8, cache_creation_input_tokens: 0, output_tokens: 1 }
  const block = (index: number, content_block: object, deltas: object[]) => [
    frame({ type: 'content_block_start', index, content_block }),
    ...deltas.map((delta) => frame({ type: 'content_block_delta', index, delta })),
    frame({ type: 'content_block_stop', index }),
  ]
  const thought = [
    { type: 'thinking_delta', thinking: 'Hm.' },
    { type: 'signature_delta', signature: 'c2lnbmVk' },
  ]
  return [
    frame({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'claude-x', content: [], usage } }),
    ...block(0, { type: 'thinking', thinking: '', signature: '' }, thought),
    ...block(
      1,
      { type: 'text', text: '' },
      words.map((text) => ({ type: 'text_delta', text })),
    ),
    frame({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } }),
    frame({ type: 'message_stop' }),
  ]
}

export function stream(response: ServerResponse, frames: readonly string[]): void {
  startStream(response)
  response.end(frames.join(''))
}
