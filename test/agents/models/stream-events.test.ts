import type { LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider'
import { describe, expect, it } from 'vitest'
import { CutStream } from '../../../src/agents/models/upstream-failure.ts'
import { streamEvents } from '../../../src/agents/models/stream-events.ts'
import { failureOf, said } from './step-requests.ts'

const usage: LanguageModelV4Usage = {
  inputTokens: { total: 20, noCache: 12, cacheRead: 8, cacheWrite: 0 },
  outputTokens: { total: 7, text: 5, reasoning: 2 },
}
const finish = (unified: 'stop' | 'length' | 'tool-calls' | 'error' | 'interrupted' | 'other', raw?: string): LanguageModelV4StreamPart => {
  return { type: 'finish', finishReason: { unified, raw }, usage }
}
const call = (input: string, toolCallId = 'c1'): LanguageModelV4StreamPart => ({ type: 'tool-call', toolCallId, toolName: 't', input })

function streamOf(parts: readonly LanguageModelV4StreamPart[]): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    start: (controller) => {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}

const events = (parts: LanguageModelV4StreamPart[]) => streamEvents(streamOf(parts), new AbortController().signal, 'p/m')
const finished = async (parts: LanguageModelV4StreamPart[]) => (await said(events(parts))).at(-1)

describe('a stream in the words of an agent', () => {
  it('[AGT3] text, reasoning and the pieces of a call, in their order', async () => {
    const parts: LanguageModelV4StreamPart[] = [
      { type: 'stream-start', warnings: [] },
      { type: 'response-metadata', id: 'r' },
      { type: 'reasoning-start', id: '0' },
      { type: 'reasoning-delta', id: '0', delta: 'Hm' },
      { type: 'reasoning-end', id: '0' },
      { type: 'text-start', id: '0' },
      { type: 'text-delta', id: '0', delta: 'Hi' },
      { type: 'text-end', id: '0' },
      { type: 'tool-input-start', id: 'c1', toolName: 't' },
      { type: 'tool-input-delta', id: 'c1', delta: '{"a"' },
      { type: 'tool-input-delta', id: 'c1', delta: ':1}' },
      { type: 'tool-input-end', id: 'c1' },
      call('{"a":1}'),
      finish('tool-calls'),
    ]
    expect(await said(events(parts))).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Hi' },
      { type: 'tool-input', call: 'c1', toolName: 't', text: '{"a"' },
      { type: 'tool-input', call: 'c1', toolName: 't', text: ':1}' },
      { type: 'tool-call', call: 'c1', toolName: 't', input: { a: 1 } },
      {
        type: 'finish',
        finishReason: 'tool-calls',
        usage: { inputTokens: 20, outputTokens: 7, cachedTokens: 8, reasoningTokens: 2 },
        model: 'p/m',
      },
    ])
  })

  it('[AGT3] what a provider wants back is gathered over the whole part, a text and a thought of one id apart', async () => {
    const parts: LanguageModelV4StreamPart[] = [
      { type: 'reasoning-start', id: '0', providerMetadata: { p: { redacted: 'x' } } },
      { type: 'reasoning-delta', id: '0', delta: '', providerMetadata: { p: { signature: 's' } } },
      { type: 'text-start', id: '0' },
      { type: 'text-delta', id: '0', delta: 'a' },
      { type: 'text-end', id: '0' },
      { type: 'reasoning-end', id: '0' },
      finish('stop'),
    ]
    const ends = (await said(events(parts))).filter(({ type }) => type === 'part-end')
    expect(ends).toEqual([{ type: 'part-end', part: 'reasoning', metadata: { p: { redacted: 'x', signature: 's' } } }])
  })

  it('[AGT3] an input that is no JSON stays a text and says so; an empty one is empty', async () => {
    const [broken, empty] = await said(events([call('{"a":'), call('', 'c2'), finish('stop')]))
    expect(broken).toMatchObject({ input: '{"a":', problem: expect.stringContaining('not valid JSON') as string })
    expect(empty).toEqual({ type: 'tool-call', call: 'c2', toolName: 't', input: {} })
  })

  it('[AGT3] what the provider runs by itself is no call', async () => {
    const parts: LanguageModelV4StreamPart[] = [
      { type: 'tool-input-start', id: 'c1', toolName: 'web_search', providerExecuted: true },
      { type: 'tool-input-delta', id: 'c1', delta: '{}' },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'web_search', input: '{}', providerExecuted: true },
      finish('stop'),
    ]
    expect((await said(events(parts))).map(({ type }) => type)).toEqual(['finish'])
  })

  it('[AGT3] finish reasons are told by what was said, not by what the server calls them', async () => {
    expect(await finished([call('{}'), finish('stop')])).toMatchObject({ finishReason: 'tool-calls' })
    expect(await finished([finish('tool-calls')])).toMatchObject({ finishReason: 'other' })
    expect(await finished([call('{}'), finish('length')])).toMatchObject({ finishReason: 'length' })
    expect(await finished([finish('other', 'whatever')])).toMatchObject({ finishReason: 'other' })
  })

  it('[MET1] usage that is told in parts is added up, and what is not told is nothing', async () => {
    const parts = { total: undefined, noCache: 3, cacheRead: 4, cacheWrite: 5 }
    const untold = { total: undefined, text: undefined, reasoning: undefined }
    const told = await finished([{ ...finish('stop'), usage: { inputTokens: parts, outputTokens: untold } } as LanguageModelV4StreamPart])
    expect(told).toMatchObject({ usage: { inputTokens: 12, outputTokens: 0, cachedTokens: 4, reasoningTokens: 0 } })
  })

  it.each([
    ['an end without a finish', []],
    ['a finish that is none', [finish('interrupted')]],
    ['an error for a reason', [finish('error', 'stream-truncated')]],
    ['a raw reason that means an error', [finish('other', 'error')]],
  ])('[AGT3] %s is a cut', async (_, parts) => {
    const error = await failureOf(events([{ type: 'text-delta', id: '0', delta: 'a' }, ...parts]))
    expect(error).toBeInstanceOf(CutStream)
  })

  it('[AGT3] an error in the stream ends it with that error, and the stream is closed', async () => {
    const sent = { message: 'overloaded', type: 'overloaded_error' }
    let closed = false
    const source = new ReadableStream<LanguageModelV4StreamPart>({
      start: (controller) => controller.enqueue({ type: 'error', error: sent }),
      cancel: () => {
        closed = true
      },
    })
    expect(await failureOf(streamEvents(source, new AbortController().signal, 'p/m'))).toBe(sent)
    expect(closed).toBe(true)
  })

  it('[AGT3] an abort ends a stream that does not mind its signal, with the signal’s reason', async () => {
    let closed = false
    const source = new ReadableStream<LanguageModelV4StreamPart>({
      cancel: () => {
        closed = true
      },
    })
    const abort = new AbortController()
    const error = failureOf(streamEvents(source, abort.signal, 'p/m'))
    abort.abort(new Error('cancelled'))
    expect(await error).toMatchObject({ message: 'cancelled' })
    expect(closed).toBe(true)
  })
})
