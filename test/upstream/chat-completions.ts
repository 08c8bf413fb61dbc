/**
 * The wire of OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat), which many others speak too.
 * It refuses what the real one refuses, above all a tool call whose result is missing.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Usage, Words } from './answer.ts'
import { isRecord, records, toolProblem, wholeText, type Request, type Voice, type Wire } from './dialect.ts'

const finishReasons: Record<string, string> = { 'tool-calls': 'tool_calls', 'content-filter': 'content_filter' }
const errorTypes: Record<number, string> = { 401: 'invalid_request_error', 404: 'invalid_request_error', 429: 'rate_limit_exceeded' }
const createdAt = 1_790_000_000

export const chatCompletions: Wire = {
  read: readRequest,
  arrange: (pieces) => pieces,
  voice: ({ body, model, usage }) => new ChatVoice(model, wantsUsage(body) ? usage : null),
  failure,
  failureEvent: (status, message) => event(failure(status, message)),
  models: () => ({
    object: 'list',
    data: ['echo', 'gpt-test'].map((id) => ({ id, object: 'model', created: createdAt, owned_by: 'upstream' })),
  }),
  keyOf: ({ authorization }: IncomingHttpHeaders) => authorization?.replace(/^Bearer /, '') ?? null,
}

class ChatVoice implements Voice {
  readonly #model: string
  readonly #usage: Usage | null

  constructor(model: string, usage: Usage | null) {
    this.#model = model
    this.#usage = usage
  }

  open(): string {
    return this.#choice({ role: 'assistant', content: '' })
  }

  say(words: Words): string {
    switch (words.type) {
      case 'text':
        return this.#choice({ content: wholeText(words) })
      case 'reasoning':
        return this.#choice({ reasoning_content: words.text })
      case 'signature':
        return ''
      case 'call':
        return this.#call(words.call, {
          id: `call_upstream_${words.call}`,
          type: 'function',
          function: { name: words.name, arguments: '' },
        })
      case 'call-input':
        return this.#call(words.call, { function: { arguments: words.text } })
    }
  }

  close(finishReason: string): string {
    const last = this.#choice({}, finishReasons[finishReason] ?? finishReason)
    const usage = this.#usage ? this.#chunk({ choices: [], usage: usageOf(this.#usage) }) : ''
    return `${last}${usage}data: [DONE]\n\n`
  }

  #call(index: number, call: object): string {
    return this.#choice({ tool_calls: [{ index, ...call }] })
  }

  #choice(delta: object, finishReason: string | null = null): string {
    return this.#chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }] })
  }

  #chunk(fields: object): string {
    return event({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: createdAt, model: this.#model, ...fields })
  }
}

function event(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`
}

function usageOf({ inputTokens, outputTokens, cachedTokens, reasoningTokens }: Usage) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  }
}

function failure(status: number, message: string) {
  return {
    error: { message, type: errorTypes[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error'), param: null, code: null },
  }
}

function wantsUsage(body: unknown): boolean {
  return isRecord(body) && isRecord(body['stream_options']) && body['stream_options']['include_usage'] === true
}

function readRequest(body: unknown): Request {
  const fields = isRecord(body) ? body : {}
  const messages = records(fields['messages'])
  const lastUser = messages.findLast(({ role }) => role === 'user')
  return {
    model: typeof fields['model'] === 'string' ? fields['model'] : '',
    lastUserText: lastUser ? textOf(lastUser['content']) : null,
    problem: problemOf(fields, messages),
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return records(content)
    .map(({ text }) => (typeof text === 'string' ? text : ''))
    .join('\n')
}

function problemOf(fields: Record<string, unknown>, messages: Record<string, unknown>[]): string | null {
  if (typeof fields['model'] !== 'string') return 'you must provide a model parameter'
  if (fields['stream'] !== true) return 'This upstream only streams.'
  if (messages.length === 0) return "Invalid 'messages': empty array."
  const tools = records(fields['tools']).map((tool) => (isRecord(tool['function']) ? tool['function'] : {}))
  return toolProblem(tools.map(({ name, parameters }) => ({ name, schema: parameters }))) ?? callProblem(messages)
}

/** Each call is answered before anybody else speaks, and nothing answers a call that was not made. */
function callProblem(messages: Record<string, unknown>[]): string | null {
  let open = new Set<unknown>()
  for (const message of messages) {
    if (message['role'] === 'tool') {
      if (!open.delete(message['tool_call_id']))
        return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
      continue
    }
    if (open.size > 0) return unanswered(open)
    const made = records(message['tool_calls'])
    const wrong = made.map(argumentsProblem).find((problem) => problem !== null)
    if (wrong !== undefined) return wrong
    open = new Set(made.map(({ id }) => id))
  }
  return open.size > 0 ? unanswered(open) : null
}

function unanswered(ids: Set<unknown>): string {
  return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id': ${[...ids].join(', ')}`
}

/** Servers that are not OpenAI's read the arguments into their templates, and fail on what is no object. */
function argumentsProblem(call: Record<string, unknown>): string | null {
  const written = isRecord(call['function']) ? call['function']['arguments'] : null
  try {
    if (typeof written === 'string' && isRecord(JSON.parse(written))) return null
  } catch {
    // said below
  }
  return `The arguments of a tool call must be an object's JSON, not ${JSON.stringify(written)}`
}
