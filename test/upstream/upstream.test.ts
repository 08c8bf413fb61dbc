/** The upstream is held against the SDKs that the server reads providers with: what they make of its bytes is what was scripted. */
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { LanguageModelV4, LanguageModelV4Prompt, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calls, dialects, MODEL_LIST, says, thinks, type Answer, type Dialect } from './answer.ts'
import { RunningUpstream } from './running-upstream.ts'

let upstream: RunningUpstream

beforeAll(async () => {
  upstream = await RunningUpstream.start()
})

afterAll(() => upstream?.stop())

const hello: LanguageModelV4Prompt = [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }]

function modelOf(dialect: Dialect, name: string): LanguageModelV4 {
  const baseURL = `${upstream.url}/v1`
  if (dialect === 'anthropic') return createAnthropic({ baseURL, apiKey: 'key' })(name)
  return createOpenAICompatible({ name: 'openai', baseURL, apiKey: 'key', includeUsage: true })(name)
}

interface Heard {
  text: string
  reasoning: string
  calls: { toolName: string; input: string }[]
  errors: unknown[]
  finishReason: string | undefined
  usage: unknown[]
  parts: LanguageModelV4StreamPart[]
}

async function hear(dialect: Dialect, name: string, prompt = hello): Promise<Heard> {
  const { stream } = await modelOf(dialect, name).doStream({ prompt })
  const parts: LanguageModelV4StreamPart[] = []
  // The stream of the platform's types has no async iterator, but Node's has.
  for await (const part of stream as unknown as AsyncIterable<LanguageModelV4StreamPart>) parts.push(part)
  const joined = (type: 'text-delta' | 'reasoning-delta') => parts.map((part) => (part.type === type ? part.delta : '')).join('')
  const finish = parts.find((part) => part.type === 'finish')
  return {
    text: joined('text-delta'),
    reasoning: joined('reasoning-delta'),
    calls: parts.flatMap((part) => (part.type === 'tool-call' ? [{ toolName: part.toolName, input: part.input }] : [])),
    errors: parts.flatMap((part) => (part.type === 'error' ? [part.error] : [])),
    finishReason: finish?.finishReason.unified,
    usage: finish ? [finish.usage.inputTokens.total, finish.usage.inputTokens.cacheRead, finish.usage.outputTokens.total] : [],
    parts,
  }
}

describe.each(dialects)('%s', (dialect) => {
  async function scripted(title: string, ...answers: Answer[]): Promise<string> {
    const name = `${dialect}-${title}`
    await upstream.script(name, answers)
    return name
  }

  test('[AGT2] words, reasoning and usage arrive as they were scripted, in whatever segments', async () => {
    const pieces = [...thinks('signed', 'Hm, ', 'ça alors…'), ...says('Guten ', 'Tag 👩‍👩‍👧‍👦 ', '語')]
    const usage = { inputTokens: 100, outputTokens: 40, cachedTokens: 60, reasoningTokens: 7 }
    const name = await scripted('words', { pieces, usage }, { pieces, usage, segmentBytes: 5 })
    for (const heard of [await hear(dialect, name), await hear(dialect, name)]) {
      expect(heard).toMatchObject({ text: 'Guten Tag 👩‍👩‍👧‍👦 語', reasoning: 'Hm, ça alors…', errors: [], finishReason: 'stop' })
      expect(heard.usage).toEqual([100, 60, 40])
    }
    const [call] = await upstream.calls(name)
    expect(call).toMatchObject({ dialect, end: 'completed', status: 200, hasKey: true })
    expect(JSON.stringify(call?.headers)).not.toContain('key"')
  })

  test('[AGT2] a call in pieces, and calls side by side', async () => {
    const [first, second] = [calls('add', { a: 1, b: '語' }, { call: 0 }), calls('sub', { c: [2] }, { call: 1 })]
    const mixed = [0, 1, 2, 3].flatMap((index) => [first, second].flatMap((pieces) => pieces.slice(index, index + 1)))
    const name = await scripted('calls', { pieces: [...says('Well.'), ...mixed] })
    const heard = await hear(dialect, name)
    expect(heard).toMatchObject({ text: 'Well.', finishReason: 'tool-calls', errors: [] })
    expect(heard.calls.map(({ toolName, input }) => [toolName, JSON.parse(input)])).toEqual([
      ['add', { a: 1, b: '語' }],
      ['sub', { c: [2] }],
    ])
  })

  test('[AGT2] each status is an error with its own words, and a script that is over is one too', async () => {
    const name = await scripted('statuses', { status: 429, headers: { 'retry-after': '7' }, message: 'Slow down, {key}.' })
    await expect(hear(dialect, name)).rejects.toMatchObject({
      statusCode: 429,
      message: 'Slow down, key.',
      responseHeaders: { 'retry-after': '7' },
    })
    await expect(hear(dialect, name)).rejects.toMatchObject({ statusCode: 400, message: `The script of ${name} is over.` })
  })

  test('[AGT2] connections are reset before, at and after the first words', async () => {
    const reset = { type: 'reset' } as const
    const name = await scripted('resets', { pieces: [reset] }, { pieces: [{ type: 'open' }, reset] }, { pieces: [...says('Hel'), reset] })
    await expect(hear(dialect, name)).rejects.toThrow()
    await expect(hear(dialect, name)).rejects.toThrow()
    await expect(hear(dialect, name)).rejects.toThrow()
    expect((await upstream.calls(name)).map(({ end, bytesSent }) => [end, bytesSent > 0])).toEqual([
      ['reset', false],
      ['reset', true],
      ['reset', true],
    ])
  })

  test('[AGT2] garbage and a failure in mid-stream are errors, and an answer may have no end', async () => {
    const name = await scripted(
      'garbage',
      { pieces: [...says('a'), { type: 'garbage', text: 'data: {not json\n\n' }, ...says('b')] },
      { pieces: [...says('a'), { type: 'failure', status: 529, message: 'Overloaded' }] },
      { pieces: [...says('a'), { type: 'end' }] },
    )
    expect(await hear(dialect, name)).toMatchObject({ text: 'ab', errors: [expect.anything()] })
    expect(JSON.stringify((await hear(dialect, name)).errors)).toContain('Overloaded')
    const cut = await hear(dialect, name)
    expect([cut.text, cut.finishReason]).toEqual(['a', dialect === 'openai' ? 'error' : 'interrupted'])
  })

  test('[AGT2] an answer waits at its gate, and a client that leaves is seen', async () => {
    const gate = `${dialect}-gate`
    const name = await scripted(
      'gate',
      { pieces: [...says('a'), { type: 'hold', gate }, ...says('b')] },
      { pieces: [{ type: 'hold', gate: 'never' }] },
    )
    const hearing = hear(dialect, name)
    await upstream.reached(name, gate)
    await upstream.release(gate)
    expect(await hearing).toMatchObject({ text: 'ab' })

    const abort = new AbortController()
    const leaving = modelOf(dialect, name).doStream({ prompt: hello, abortSignal: abort.signal })
    await upstream.reached(name, 'never')
    abort.abort()
    await expect(leaving).rejects.toThrow()
    const [, left] = await upstream.until(name, 'the end', (all) => all[1]?.end !== null)
    expect(left).toMatchObject({ end: 'aborted', bytesSent: 0 })
  })

  test('[AGT2] it refuses a call without its result, as its provider does', async () => {
    const call = { type: 'tool-call', toolCallId: 'c1', toolName: 'add', input: {} } as const
    const result = { type: 'tool-result', toolCallId: 'c1', toolName: 'add', output: { type: 'text', value: '3' } } as const
    const called: LanguageModelV4Prompt = [...hello, { role: 'assistant', content: [call] }]
    await expect(hear(dialect, 'echo', [...called, ...hello])).rejects.toMatchObject({ statusCode: 400 })
    const answered = await hear(dialect, 'echo', [...called, { role: 'tool', content: [result] }])
    expect(answered.text).toBe('You said: Hello')
  })
})

test('[AGT2] both dialects list their models, and the list can be down', async () => {
  const list = (headers: Record<string, string>) => fetch(`${upstream.url}/v1/models`, { headers })
  expect(await (await list({})).json()).toMatchObject({ object: 'list', data: [{ id: 'echo', object: 'model' }, { id: 'gpt-test' }] })
  expect(await (await list({ 'anthropic-version': '2023-06-01' })).json()).toMatchObject({ data: [{ id: 'echo', type: 'model' }, {}] })
  await upstream.script(MODEL_LIST, [{ status: 500 }])
  expect((await list({})).status).toBe(500)
  expect((await list({})).status).toBe(200)
})

test('[AGT2] 2 MB arrive whole', async () => {
  await upstream.script('large', [
    {
      pieces: [
        { type: 'text', text: '語'.repeat(1000), times: 350 },
        { type: 'text', text: 'x', times: 1_000_000 },
      ],
    },
  ])
  const { text } = await hear('openai', 'large')
  expect(text.length).toBe(1_350_000)
})
