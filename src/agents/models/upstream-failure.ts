/**
 * What a failure of a provider means: whose fault it is, whether asking again may help, and when. The sentence about it holds
 * nothing of the request, and of the provider's own words what is fit to be shown.
 */
import type { APICallError } from '@ai-sdk/provider'
import { ModelError } from './model-error.ts'
import { shownWords, wordsInBody } from './provider-words.ts'
import { retryAfterIn } from './retry-after.ts'

/** Answers after which the same request may succeed. 529 is Anthropic's "overloaded". */
const transientStatuses = new Set([408, 409, 429, 529])
/** Of those, what the provider's state is not to blame for. */
const callerStatuses = new Set([408, 409])

/** An HTTP answer that is no success. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly words: string
  constructor(status: number, headers: Readonly<Record<string, string>>, body: string) {
    super('An upstream refused a request')
    this.status = status
    this.headers = headers
    this.words = wordsInBody(body)
  }
}

/** A stream that ended before the provider said so. */
export class CutStream extends Error {
  override readonly name = 'CutStream'
}

export interface ErrorContext {
  provider: string
  /** Null: its list was asked for. */
  model: string | null
  secrets: readonly string[]
  now: number
}

/** Anything that was thrown while a provider was asked, or that it sent as an error in mid-stream. */
export function modelErrorOf(error: unknown, context: ErrorContext): ModelError {
  if (error instanceof ModelError) return error
  const refusal = refusalIn(error)
  if (refusal) return ofStatus(refusal, context)
  const { provider } = context
  const name = error instanceof Error ? error.name : ''
  if (unreadable.has(name)) return new ModelError(`The provider ${provider} sent an answer that cannot be read.`, 0, true)
  if (isPromptError(error))
    return new ModelError(`The provider ${provider} cannot take this: ${shownWords(error.message, context.secrets)}`)
  if (error instanceof CutStream || isCutBody(error)) return new ModelError(`The answer of the provider ${provider} was cut off.`, 0, true)
  const said = messageIn(error)
  if (said !== null) return new ModelError(`The provider ${provider} reports an error: ${shownWords(said, context.secrets)}`, 0, true)
  return new ModelError(`The provider ${provider} could not be reached, or the connection broke.`, 0, true)
}

function ofStatus({ status, headers, words }: UpstreamRefusal, context: ErrorContext): ModelError {
  const { provider, model, now } = context
  const told = shownWords(words, context.secrets)
  const answered = `The provider ${provider} answered ${status}${told === '' ? '.' : `: ${told}`}`
  if (status >= 500 || transientStatuses.has(status)) {
    return new ModelError(answered, retryAfterIn(headers, now) ?? 0, !callerStatuses.has(status))
  }
  if (status === 401 || status === 403) return new ModelError(`The provider ${provider} refused the key.`)
  if (status === 404) return new ModelError(model === null ? answered : `The provider ${provider} has no model named ${model}.`)
  return new ModelError(answered)
}

/** Null: the error is not an answer of the provider. */
function refusalIn(error: unknown): UpstreamRefusal | null {
  if (error instanceof UpstreamRefusal) return error
  if (isApiCallError(error)) {
    const status = error.statusCode ?? boundStatus(error)
    // A success whose body broke off is one of these too.
    if (status === undefined || status < 400) return null
    return new UpstreamRefusal(status, error.responseHeaders ?? {}, error.responseBody ?? error.message)
  }
  const status = streamedStatus(error)
  return status === null ? null : new UpstreamRefusal(status, {}, messageIn(error) ?? '')
}

/** Workers AI tells codes of its own; one that the package does not know is about the request. */
function boundStatus({ data }: APICallError): number | undefined {
  return isRecord(data) && 'workersAIErrorCode' in data ? 400 : undefined
}

/** Errors that come in the stream have no status: it was sent long ago, and said 200. */
function streamedStatus(error: unknown): number | null {
  if (!isRecord(error) || error instanceof Error) return null
  const told = [error['statusCode'], error['status'], error['code']].map(Number).find((status) => status >= 400 && status < 600)
  if (told !== undefined) return told
  const kind = [error['type'], error['code']].find((value) => typeof value === 'string' && value in streamedKinds)
  return typeof kind === 'string' ? (streamedKinds[kind] ?? null) : null
}

const streamedKinds: Record<string, number> = {
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  overloaded_error: 529,
  server_error: 500,
  api_error: 500,
  invalid_request_error: 400,
  context_length_exceeded: 400,
  authentication_error: 401,
  permission_error: 403,
}

/** Names of the AI SDK's errors: for an answer that is not what it should be, and for a prompt that a provider has no words for. */
const unreadable = new Set([
  'AI_JSONParseError',
  'AI_TypeValidationError',
  'AI_InvalidResponseDataError',
  'AI_EmptyResponseBodyError',
  'SyntaxError',
  'ValiError',
])
const unsayable = new Set([
  'AI_UnsupportedFunctionalityError',
  'AI_InvalidPromptError',
  'AI_InvalidArgumentError',
  'AI_NoSuchModelError',
  'AI_LoadAPIKeyError',
])

function isPromptError(error: unknown): error is Error {
  return error instanceof Error && unsayable.has(error.name)
}

// By name, not by class: the class is in a package that is not imported before it is needed.
function isApiCallError(error: unknown): error is APICallError {
  return error instanceof Error && error.name === 'AI_APICallError'
}

function isCutBody(error: unknown): boolean {
  return isApiCallError(error) && error.statusCode !== undefined
}

function messageIn(error: unknown): string | null {
  if (error instanceof Error || !isRecord(error)) return null
  return typeof error['message'] === 'string' ? error['message'] : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
