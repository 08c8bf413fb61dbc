import * as v from 'valibot'
import type { AddressGuard } from './address-guard.ts'
import { decodeText, readBounded } from './bounded-body.ts'
import { defineTool } from './define-tool.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { readableText } from './html-text.ts'
import { ToolError, type Tool, type ToolAnswer, type ToolCall } from './tool.ts'

const maxRedirects = 5
const maxBodyBytes = 1024 * 1024

export function createFetchUrl(guard: AddressGuard): Tool {
  return defineTool({
    name: 'fetch_url',
    description: 'Reads a public web page or text file by its https address. Pages come as plain text with their links.',
    input: v.strictObject({ url: v.pipe(v.string(), v.maxLength(2048), v.url('must be a whole address, like https://example.com/')) }),
    approval: 'policy',
    idempotent: true,
    timeoutMs: 15_000,
    // The answer as JSON: its text once more, escaped.
    maxOutputBytes: 4 * maxBodyBytes,
    run: ({ url }, call) => read(guard, url, call),
  })
}

async function read(guard: AddressGuard, url: string, { signal }: ToolCall): Promise<ToolAnswer> {
  const headers = { accept: 'text/html, text/plain, application/json;q=0.9, */*;q=0.5', 'user-agent': 'dormouse' }
  const response = await guardedFetch(guard, url, { headers, signal }, { maxRedirects })
  const contentType = response.headers.get('content-type') ?? ''
  if (!isText(contentType)) {
    await response.body?.cancel()
    throw new ToolError(`${new URL(url).host} answered with ${contentType.slice(0, 100)}, which is not text.`)
  }
  const body = await readBounded(response, maxBodyBytes, signal)
  if (body.bytes.includes(0)) throw new ToolError(`${new URL(url).host} answered with something that is not text.`)
  const whole = decodeText(body, contentType)
  const at = response.url || url
  const text = isHtml(contentType) ? readableText(whole, at) : whole
  return { output: { url: at, status: response.status, contentType, text, truncated: body.truncated } }
}

function isHtml(contentType: string): boolean {
  return /^(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType)
}

/** A server that says nothing may mean text. */
function isText(contentType: string): boolean {
  return (
    contentType === '' ||
    /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|ndjson|x-ndjson|javascript|toml)\b)/i.test(contentType)
  )
}
