import { APICallError, JSONParseError, UnsupportedFunctionalityError } from '@ai-sdk/provider'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/agents/models/model-error.ts'
import { CutStream, modelErrorOf, UpstreamRefusal, type ErrorContext } from '../../../src/agents/models/upstream-failure.ts'
import { retryAfterIn } from '../../../src/agents/models/retry-after.ts'
import { scrub } from '../../../src/agents/models/scrub.ts'

const now = Date.UTC(2026, 10, 20, 12, 0, 0)
const context: ErrorContext = { provider: 'openai', model: 'm-1', secrets: ['my-own-secret'], now }

function refused(statusCode: number, body: object | string, responseHeaders: Record<string, string> = {}): APICallError {
  const responseBody = typeof body === 'string' ? body : JSON.stringify(body)
  const message = typeof body === 'string' ? '' : String((body as { error?: { message?: string } }).error?.message)
  const data = typeof body === 'string' ? {} : { data: body }
  const requestBodyValues = { messages: 'the conversation' }
  return new APICallError({ message, url: 'https://host/v1', requestBodyValues, statusCode, responseHeaders, responseBody, ...data })
}

const told = (error: unknown) => {
  const { message, retryAfterMs, isOutage } = modelErrorOf(error, context)
  return [message, retryAfterMs, isOutage]
}

describe('what a failure of a provider means', () => {
  it.each([
    [500, true],
    [502, true],
    [503, true],
    [529, true],
    [429, true],
    [408, false],
    [409, false],
  ])('[AGT3] %i may be tried again', (status, isOutage) => {
    expect(told(refused(status, { error: { message: 'Try later' } }))).toEqual([
      `The provider openai answered ${status}: Try later`,
      0,
      isOutage,
    ])
  })

  it.each([
    [400, 'The provider openai answered 400: Bad field'],
    [402, 'The provider openai answered 402: Bad field'],
    [401, 'The provider openai refused the key.'],
    [403, 'The provider openai refused the key.'],
    [404, 'The provider openai has no model named m-1.'],
    [413, 'The provider openai answered 413: Bad field'],
  ])('[AGT3] %i is final, and no fault of the provider', (status, message) => {
    expect(told(refused(status, { error: { message: 'Bad field' } }))).toEqual([message, null, false])
  })

  it('[AGT3] a list that is not there is no missing model', () => {
    const { message } = modelErrorOf(new UpstreamRefusal(404, {}, 'no such path'), { ...context, model: null })
    expect(message).toBe('The provider openai answered 404: no such path')
  })

  it('[AGT3] what cannot be read, is cut off or does not connect may be tried again', () => {
    const unreadable = new JSONParseError({ text: 'sk-secret-text', cause: new Error('x') })
    expect(told(unreadable)).toEqual(['The provider openai sent an answer that cannot be read.', 0, true])
    const cut = 'The answer of the provider openai was cut off.'
    expect(told(new CutStream('x'))).toEqual([cut, 0, true])
    expect(told(refused(200, ''))).toEqual([cut, 0, true])
    const gone = 'The provider openai could not be reached, or the connection broke.'
    const unconnected = new APICallError({ message: 'Cannot connect: 10.0.0.3', url: 'http://10.0.0.3', requestBodyValues: {} })
    for (const error of [new TypeError('fetch failed'), unconnected, 'odd']) expect(told(error)).toEqual([gone, 0, true])
  })

  it('[AGT3] a prompt that the provider has no words for is final', () => {
    const error = new UnsupportedFunctionalityError({ functionality: 'audio file parts with URLs' })
    expect(told(error)).toEqual([
      "The provider openai cannot take this: 'audio file parts with URLs' functionality not supported.",
      null,
      false,
    ])
  })

  it.each([
    [{ message: 'Slow down', type: 'rate_limit_error' }, 'The provider openai answered 429: Slow down', 0],
    [{ message: 'Overloaded', type: 'overloaded_error', statusCode: 529 }, 'The provider openai answered 529: Overloaded', 0],
    [{ message: 'Bad gateway', code: 502 }, 'The provider openai answered 502: Bad gateway', 0],
    [{ message: 'Too long', type: 'x', code: 'context_length_exceeded' }, 'The provider openai answered 400: Too long', null],
    [{ message: 'Something', type: 'odd' }, 'The provider openai reports an error: Something', 0],
  ])('[AGT3] an error in mid-stream is read by its kind: %o', (error, message, retryAfterMs) => {
    expect(told(error).slice(0, 2)).toEqual([message, retryAfterMs])
  })

  it('[AGT3] a code of Workers AI that nobody knows is about the request', () => {
    const error = new APICallError({ message: '5099: odd', url: 'workers-ai:', requestBodyValues: {}, data: { workersAIErrorCode: 5099 } })
    expect(told(error)).toEqual(['The provider openai answered 400: 5099: odd', null, false])
  })

  it('[AGT3] the words are found in bodies of other shapes; a page is not quoted', () => {
    expect(told(refused(400, '{"detail":"no"}'))[0]).toBe('The provider openai answered 400: no')
    expect(told(refused(400, '{"error":"model busy"}'))[0]).toBe('The provider openai answered 400: model busy')
    expect(told(refused(400, '["odd"]'))[0]).toBe('The provider openai answered 400: ["odd"]')
    expect(told(refused(502, '<html><body>Bad gateway</body></html>'))[0]).toBe('The provider openai answered 502.')
  })

  it('[AGT3] what was explained stays as it is', () => {
    const error = new ModelError('Once.', 5)
    expect(modelErrorOf(error, context)).toBe(error)
  })
})

describe('when to come back', () => {
  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '1500', 'retry-after': '7' }, 1500],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '-3' }, null],
    [{}, null],
  ])('[AGT3] %o', (headers, ms) => {
    expect(retryAfterIn(headers as Record<string, string>, now)).toBe(ms)
    expect(told(refused(429, { error: { message: 'x' } }, headers as Record<string, string>))[1]).toBe(ms ?? 0)
  })
})

describe('secrets in a provider’s words', () => {
  it('[SEC4] neither the configured key nor anything like a key is shown, also not where the words are cut', () => {
    const words = `${'x'.repeat(292)} my-own-secret ${'y'.repeat(100)}`
    const { message } = modelErrorOf(refused(400, { error: { message: words } }), context)
    expect(message).not.toContain('my-own')
    expect(message.endsWith('…')).toBe(true)
    expect(message.length).toBeLessThan(350)
  })

  it.each([
    ['Incorrect API key provided: sk-abcdef***wxyz.', 'Incorrect API key provided: ***'],
    ['header Authorization: Bearer abc.def-123, sorry', 'header Authorization: ***, sorry'],
    ['at https://host/models?key=AbC123 there', 'at https://host/models?*** there'],
    ['gsk_0123456789abcdef and AIzaSyA0123456789abcdefghijk', '*** and ***'],
    ['my-own-secret', '***'],
    ['Task desk-based risk-free: nothing to hide', 'Task desk-based risk-free: nothing to hide'],
  ])('[SEC4] %s', (words, scrubbed) => {
    expect(scrub(words, context.secrets)).toBe(scrubbed)
  })
})
