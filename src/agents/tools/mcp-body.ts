/**
 * The JSON-RPC messages in the answer of an MCP server, whether it comes as JSON or as a stream of events. Bytes are counted
 * while they are read, so that nobody can make the server hold more than a limit.
 */
import { EventSourceParserStream } from '@ai-sdk/provider-utils'
import { ToolError } from './tool.ts'

/** Throws `ToolError` when the body is too large, `NotMcp` when it holds something else. */
export async function* messagesIn(response: Response, maxBytes: number): AsyncGenerator {
  if (isEventStream(response)) yield* eventsIn(response, maxBytes)
  else yield* [parse(await textOf(response, maxBytes))].flat()
}

/** The answer is no message of the protocol. */
export class NotMcp extends Error {
  override readonly name = 'NotMcp'
}

export async function textOf(response: Response, maxBytes: number): Promise<string> {
  let text = ''
  for await (const piece of pieces(boundedText(response, maxBytes))) text += piece
  return text
}

function isEventStream({ headers }: Response): boolean {
  return headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') ?? false
}

async function* eventsIn(response: Response, maxBytes: number): AsyncGenerator {
  const events = boundedText(response, maxBytes)?.pipeThrough(new EventSourceParserStream())
  for await (const { event = 'message', data } of pieces(events ?? null)) {
    // An event without words is a sign of life, or asks to come back later (2025-11-25, Sending Messages to the Server).
    if (event === 'message' && data !== '') yield* [parse(data)].flat()
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NotMcp()
  }
}

function boundedText({ body, headers }: Response, maxBytes: number): ReadableStream<string> | null {
  if (Number(headers.get('content-length') ?? 0) > maxBytes) {
    void body?.cancel().catch(() => {})
    throw tooLarge(maxBytes)
  }
  return body?.pipeThrough(byteLimit(maxBytes)).pipeThrough(new TextDecoderStream()) ?? null
}

function byteLimit(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) controller.error(tooLarge(maxBytes))
      else controller.enqueue(chunk)
    },
  })
}

function tooLarge(maxBytes: number): ToolError {
  return new ToolError(`its answer is larger than ${maxBytes} bytes`)
}

/** Whoever stops listening lets go of the connection, and does not wait until it is closed. */
async function* pieces<T>(stream: ReadableStream<T> | null): AsyncGenerator<T> {
  if (!stream) return
  const reader = stream.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } catch (error) {
    throw error instanceof ToolError ? error : new ToolError('it broke off in the middle of its answer')
  } finally {
    void reader.cancel().catch(() => {})
  }
}
