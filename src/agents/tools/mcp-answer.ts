/** What an MCP tool answered, as an output of ours: text where all of it is text, else JSON without the bytes of files. */
import type { CallToolResult } from '@ai-sdk/mcp'
import type { ToolAnswer } from './tool.ts'

/** A log can be exported and imported again with JSON of this depth. */
const maxDepth = 48

export function answerOf(result: CallToolResult): ToolAnswer {
  const isError = 'isError' in result && result.isError === true
  return { output: outputOf(result), ...(isError && { isError }) }
}

/** Where a text stands beside structured content it repeats it, for clients that know no structure; models read text. */
function outputOf(result: CallToolResult): unknown {
  if ('toolResult' in result) return tidy(result.toolResult)
  // As the client has parsed it; its type is a union of several versions' shapes.
  const { content, structuredContent } = result as { content: Part[]; structuredContent?: unknown }
  const texts = content.map(({ type, text }) => (type === 'text' && typeof text === 'string' ? text : null))
  if (content.length > 0 && !texts.includes(null)) return texts.join('\n')
  return tidy(structuredContent ?? content.map(withoutBytes))
}

interface Part {
  type: string
  [field: string]: unknown
}

function withoutBytes({ type, ...part }: Part): unknown {
  if (type === 'text') return { type, text: part.text }
  if (type === 'resource') return { type, ...contentsOf(part.resource as Record<string, unknown>) }
  const { data, mimeType, _meta, annotations: _annotations, ...rest } = part
  return typeof data === 'string' ? { type, mimeType, bytes: bytesIn(data) } : { type, mimeType, ...rest }
}

function contentsOf({ uri, mimeType, text, blob }: Record<string, unknown>): Record<string, unknown> {
  return typeof blob === 'string' ? { uri, mimeType, bytes: bytesIn(blob) } : { uri, mimeType, text }
}

/** What a model cannot read is told by its size alone: bytes of files would fill its context. Of base64. */
function bytesIn(base64: string): number {
  return Math.floor((base64.replace(/={1,2}$/, '').length * 3) / 4)
}

/** Well-formed Unicode, not too deep. */
function tidy(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (typeof value !== 'object' || value === null) return value
  if (depth >= maxDepth) return '[left out: nested too deep]'
  if (Array.isArray(value)) return value.map((item) => tidy(item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toWellFormed(), tidy(item, depth + 1)]))
}
