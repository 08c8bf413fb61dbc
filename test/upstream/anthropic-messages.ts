/**
 * The wire of Anthropic's messages (https://docs.anthropic.com/en/api/messages-streaming): named events, blocks that open and
 * close one after the other, and usage that counts cached input apart. It refuses what the real one refuses.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Piece, Usage, Words } from './answer.ts'
import { isRecord, records, toolProblem, wholeText, type Request, type Voice, type Wire } from './dialect.ts'

const stopReasons: Record<string, string> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
}
const errorTypes: Record<number, string> = {
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  500: 'api_error',
  529: 'overloaded_error',
}
const maxBreakpoints = 4

export const anthropicMessages: Wire = {
  read: readRequest,
  arrange: blockAfterBlock,
  voice: ({ model, usage }) => new MessagesVoice(model, usage),
  failure,
  failureEvent: (status, message) => event('error', failure(status, message)),
  models: () => {
    const data = ['echo', 'claude-test'].map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-11-01T00:00:00Z' }))
    return { data, has_more: false, first_id: 'echo', last_id: 'claude-test' }
  },
  keyOf: (headers: IncomingHttpHeaders) => (typeof headers['x-api-key'] === 'string' ? headers['x-api-key'] : null),
}

class MessagesVoice implements Voice {
  readonly #model: string
  readonly #usage: Usage
  #index = -1
  #block: string | null = null

  constructor(model: string, usage: Usage) {
    this.#model = model
    this.#usage = usage
  }

  open(): string {
    const message = {
      id: 'msg_upstream',
      type: 'message',
      role: 'assistant',
      model: this.#model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...this.#inputUsage(), output_tokens: 1 },
    }
    return event('message_start', { type: 'message_start', message }) + event('ping', { type: 'ping' })
  }

  say(words: Words): string {
    switch (words.type) {
      case 'text':
        return this.#inBlock('text', { type: 'text', text: '' }) + this.#delta({ type: 'text_delta', text: wholeText(words) })
      case 'reasoning':
        return this.#inThinking({ type: 'thinking_delta', thinking: words.text })
      case 'signature':
        return this.#inThinking({ type: 'signature_delta', signature: words.signature }) + this.#endBlock()
      case 'call': {
        const block = { type: 'tool_use', id: `toolu_upstream_${words.call}`, name: words.name, input: {} }
        return this.#inBlock(`call ${words.call}`, block) + this.#delta({ type: 'input_json_delta', partial_json: '' })
      }
      case 'call-input':
        return this.#delta({ type: 'input_json_delta', partial_json: words.text })
    }
  }

  close(finishReason: string): string {
    const delta = { stop_reason: stopReasons[finishReason] ?? finishReason, stop_sequence: null }
    const usage = { ...this.#inputUsage(), output_tokens: this.#usage.outputTokens, output_tokens_details: this.#thinkingUsage() }
    return (
      this.#endBlock() + event('message_delta', { type: 'message_delta', delta, usage }) + event('message_stop', { type: 'message_stop' })
    )
  }

  #inThinking(delta: object): string {
    return this.#inBlock('thinking', { type: 'thinking', thinking: '', signature: '' }) + this.#delta(delta)
  }

  #inBlock(name: string, block: object): string {
    if (this.#block === name) return ''
    const end = this.#endBlock()
    this.#block = name
    this.#index += 1
    return end + event('content_block_start', { type: 'content_block_start', index: this.#index, content_block: block })
  }

  #delta(delta: object): string {
    return event('content_block_delta', { type: 'content_block_delta', index: this.#index, delta })
  }

  #endBlock(): string {
    if (this.#block === null) return ''
    this.#block = null
    return event('content_block_stop', { type: 'content_block_stop', index: this.#index })
  }

  #inputUsage() {
    const { inputTokens, cachedTokens } = this.#usage
    return { input_tokens: inputTokens - cachedTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: cachedTokens }
  }

  #thinkingUsage() {
    return { thinking_tokens: this.#usage.reasoningTokens }
  }
}

/** Inputs of calls that grow side by side are said one after the other. */
function blockAfterBlock(pieces: Piece[]): Piece[] {
  const arranged: Piece[] = []
  for (const piece of pieces) {
    const call = piece.type === 'call-input' ? piece.call : null
    const last = call === null ? -1 : arranged.findLastIndex((other) => 'call' in other && other.call === call)
    arranged.splice(last < 0 ? arranged.length : last + 1, 0, piece)
  }
  return arranged
}

function event(name: string, body: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(body)}\n\n`
}

function failure(status: number, message: string) {
  return { type: 'error', error: { type: errorTypes[status] ?? 'invalid_request_error', message }, request_id: 'req_upstream' }
}

function readRequest(body: unknown): Request {
  const fields = isRecord(body) ? body : {}
  const messages = records(fields['messages'])
  const texts = messages.filter(({ role }) => role === 'user').flatMap(({ content }) => textsOf(content))
  return {
    model: typeof fields['model'] === 'string' ? fields['model'] : '',
    lastUserText: texts.at(-1) ?? null,
    problem: problemOf(fields, messages),
  }
}

function blocksOf(content: unknown): Record<string, unknown>[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : records(content)
}

function textsOf(content: unknown): string[] {
  return blocksOf(content).flatMap(({ type, text }) => (type === 'text' && typeof text === 'string' ? [text] : []))
}

function problemOf(fields: Record<string, unknown>, messages: Record<string, unknown>[]): string | null {
  if (typeof fields['model'] !== 'string') return 'model: Field required'
  if (typeof fields['max_tokens'] !== 'number') return 'max_tokens: Field required'
  if (fields['stream'] !== true) return 'This upstream only streams.'
  if (messages.length === 0) return 'messages: at least one message is required'
  if (messages[0]?.['role'] !== 'user') return 'messages: first message must use the "user" role'
  const breakpoints = JSON.stringify(fields).split('"cache_control"').length - 1
  if (breakpoints > maxBreakpoints) return `A maximum of ${maxBreakpoints} blocks with cache_control may be provided. Found ${breakpoints}.`
  const tools = records(fields['tools']).map(({ name, input_schema }) => ({ name, schema: input_schema }))
  return toolProblem(tools) ?? callProblem(messages) ?? blockProblem(messages)
}

/** The results of an answer's calls are the very next message, one for each. */
function callProblem(messages: Record<string, unknown>[]): string | null {
  let made = new Set<unknown>()
  for (const { content } of [...messages, { content: [] }]) {
    const blocks = blocksOf(content)
    const answered = blocks.filter(({ type }) => type === 'tool_result').map(({ tool_use_id }) => tool_use_id)
    if (answered.some((id) => !made.delete(id))) return 'unexpected `tool_use_id` found in `tool_result` blocks'
    if (made.size > 0) return `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...made].join(', ')}`
    const calls = blocks.filter(({ type }) => type === 'tool_use')
    if (calls.some(({ input }) => !isRecord(input))) return 'tool_use.input: Input should be a valid dictionary'
    made = new Set(calls.map(({ id }) => id))
  }
  return null
}

function blockProblem(messages: Record<string, unknown>[]): string | null {
  const blocks = messages.flatMap(({ content }) => blocksOf(content))
  if (messages.some(({ content }) => blocksOf(content).length === 0)) return 'messages: all messages must have non-empty content'
  if (blocks.some(({ type, text }) => type === 'text' && text === '')) return 'text content blocks must be non-empty'
  const unsigned = blocks.some(({ type, signature }) => type === 'thinking' && typeof signature !== 'string')
  return unsigned ? 'thinking.signature: Field required' : null
}
