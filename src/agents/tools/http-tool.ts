/**
 * A tool at somebody's address: each call is POSTed there, signed as Standard Webhooks say
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). The call's id is the message
 * id, so that a server that gets a call twice can tell.
 */
import type { HttpTool } from '../../protocol/agent.ts'
import { parseJson } from '../../protocol/json.ts'
import { limits } from '../../protocol/limits.ts'
import type { AddressGuard } from './address-guard.ts'
import { decodeText, readBounded, type BoundedBody } from './bounded-body.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { inputProblem } from './json-schema.ts'
import { ToolError, toolDefaults, type Tool, type ToolAnswer, type ToolCall } from './tool.ts'

const maxErrorCharacters = 2000
/** Room for the words that say that an answer was cut. */
const noticeBytes = 100

export interface HttpToolOptions {
  guard: AddressGuard
}

export function createHttpTool(definition: HttpTool, { guard }: HttpToolOptions): Tool {
  const { name, description, inputSchema, approval = 'policy', idempotent = false } = definition
  const { timeoutMs = toolDefaults.timeoutMs, maxOutputBytes = toolDefaults.maxOutputBytes } = definition
  const limit = Math.min(maxOutputBytes, limits.outputBytes)
  return {
    ...{ name, description, inputSchema, approval, idempotent, timeoutMs, maxOutputBytes: limit },
    problemOf: (input) => inputProblem(inputSchema, input),
    run: async (input, call) => answerOf(await post(definition, guard, input, call), limit, call.signal),
  }
}

/** No redirects: a signed call is for the address that it was signed for. */
async function post({ name, url, secret }: HttpTool, guard: AddressGuard, input: unknown, call: ToolCall): Promise<Response> {
  const { toolCallId, sessionId, turnId, signal } = call
  const body = JSON.stringify({ type: 'tool.call', toolName: name, toolCallId, sessionId, turnId, input })
  const timestamp = Math.floor(call.now() / 1000)
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'dormouse',
    'webhook-id': toolCallId,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': await signatureOf(secret, `${toolCallId}.${timestamp}.${body}`),
  }
  return guardedFetch(guard, url, { method: 'POST', headers, body, signal }, { maxRedirects: 0 })
}

async function signatureOf(secret: string | undefined, content: string): Promise<string> {
  const bytes = secretBytes(secret)
  if (bytes === null) throw new ToolError('Not run: the tool has no secret to sign its calls with.')
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(content))
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`
}

function secretBytes(secret: string | undefined): Uint8Array<ArrayBuffer> | null {
  if (secret === undefined || !secret.startsWith('whsec_')) return null
  try {
    return Uint8Array.from(atob(secret.slice('whsec_'.length)), (character) => character.charCodeAt(0))
  } catch {
    return null
  }
}

async function answerOf(response: Response, maxBytes: number, signal: AbortSignal): Promise<ToolAnswer> {
  const contentType = response.headers.get('content-type') ?? ''
  if (response.ok) return { output: outputOf(await readBounded(response, maxBytes - noticeBytes, signal), contentType) }
  // Four bytes are the most that a character takes.
  const body = decodeText(await readBounded(response, maxErrorCharacters * 4, signal), contentType)
  return { isError: true, output: { status: response.status, body: body.slice(0, maxErrorCharacters).toWellFormed() } }
}

function outputOf(body: BoundedBody, contentType: string): unknown {
  const text = decodeText(body, contentType)
  if (body.truncated) return `${text}\n[cut off: the answer is longer than ${body.bytes.length} bytes]`
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)) return text
  const parsed = parseJson(text)
  return parsed.ok ? parsed.value : text
}
