/** Reads a response's body up to a limit: a server that answers without end costs no more than the limit. */
import { ToolError } from './tool.ts'

export interface BoundedBody {
  bytes: Uint8Array
  /** There was more. */
  truncated: boolean
}

/** Throws `ToolError` when the connection breaks off, or the reason of `signal` when that was aborted. */
export async function readBounded(response: Response, maxBytes: number, signal: AbortSignal): Promise<BoundedBody> {
  if (!response.body) return { bytes: new Uint8Array(), truncated: false }
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  while (length <= maxBytes) {
    const { value } = await next(reader, signal)
    if (value === undefined) break
    chunks.push(value)
    length += value.length
  }
  // Not awaited: a server need not answer to that.
  if (length > maxBytes) reader.cancel().catch(() => undefined)
  return { bytes: concatenate(chunks, Math.min(length, maxBytes)), truncated: length > maxBytes }
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
  try {
    return await reader.read()
  } catch {
    signal.throwIfAborted()
    throw new ToolError('The server broke off in the middle of its answer.')
  }
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, length - at), at)
    at += Math.min(chunk.length, length - at)
  }
  return bytes
}

/** In the charset that the content type names, UTF-8 otherwise. Half a character at a cut end is left out. */
export function decodeText({ bytes, truncated }: BoundedBody, contentType: string): string {
  return decoderOf(/;\s*charset="?([\w:.-]{1,40})/i.exec(contentType)?.[1]).decode(bytes, { stream: truncated })
}

function decoderOf(charset = 'utf-8'): TextDecoder {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder()
  }
}
