/** Outputs of tools, bounded twice: a tool's own limit cuts them off, and what is still large stands in the log as a preview. */
import { parseJson } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'

export interface BoundOutput {
  /** What stands in the log and goes to the model. */
  output: unknown
  /** Of the whole, where `output` is a preview. */
  bytes: number | null
  /** The whole as text, where it must be kept beside the log. */
  whole: string | null
}

const encoder = new TextEncoder()

export function boundOutput(output: unknown, maxBytes: number): BoundOutput {
  const text = typeof output === 'string' ? output.toWellFormed() : jsonOf(output)
  const bytes = encoder.encode(text)
  const most = Math.min(maxBytes, limits.outputBytes)
  if (bytes.length > most) return preview(`${cutAt(bytes, most)}\n[cut off: the tool answered ${bytes.length} bytes, ${most} are kept]`)
  if (bytes.length > limits.inlineOutputBytes) return preview(text)
  return { output: typeof output === 'string' ? text : plain(text), bytes: null, whole: null }
}

function jsonOf(output: unknown): string {
  return JSON.stringify(output, (_key, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value)) ?? 'null'
}

/** What clients could not send back to us, nested too deep or with broken keys, stays a text. */
function plain(json: string): unknown {
  const parsed = parseJson(json)
  return parsed.ok ? parsed.value : json
}

function preview(text: string): BoundOutput {
  const bytes = encoder.encode(text).length
  if (bytes <= limits.inlineOutputBytes) return { output: text, bytes: null, whole: null }
  const start = text.slice(0, limits.outputPreviewCharacters).toWellFormed()
  return { output: `${start}\n[a preview: the whole output has ${bytes} bytes]`, bytes, whole: text }
}

/** The text of the first bytes, without half a character at its end. */
function cutAt(bytes: Uint8Array, length: number): string {
  return new TextDecoder().decode(bytes.subarray(0, length), { stream: true })
}
