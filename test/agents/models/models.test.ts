/** The models against servers on loopback, in both dialects, and against a binding. */
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/agents/models/model-error.ts'
import { createModels, modelsOf } from '../../../src/agents/models/models.ts'
import type { ProviderEnvironment } from '../../../src/agents/models/provider.ts'
import { toolSet } from '../../../src/agents/tools/tool.ts'
import type { AgentDefinition } from '../../../src/protocol/agent.ts'
import {
  anthropicMessage,
  chatCompletion,
  json,
  smallUpstream,
  startStream,
  stream,
  type Answer,
  type SmallUpstream,
} from './small-upstream.ts'
import { failureOf, message, said, stepRequest, textOf, tool } from './step-requests.ts'

const definition: AgentDefinition = { instructions: 'Be brief.' }
const secret = 'sk-the-key-of-this-test'

interface Dialect {
  id: 'openai' | 'anthropic'
  environment(url: string): ProviderEnvironment
  reply(words: readonly string[]): string[]
  path: string
}

const dialects: Dialect[] = [
  {
    id: 'openai',
    environment: (url) => ({ OPENAI_BASE_URL: `${url}/v1/`, OPENAI_API_KEY: secret }),
    reply: chatCompletion,
    path: '/v1/chat/completions',
  },
  {
    id: 'anthropic',
    environment: (url) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: secret }),
    reply: anthropicMessage,
    path: '/v1/messages',
  },
]

async function serve(dialect: Dialect, answer: Answer, now?: () => number) {
  const upstream = await smallUpstream(answer)
  return { upstream, models: createModels(dialect.environment(upstream.url), now) }
}

const errorBody = (words: string) => ({ type: 'error', error: { type: 'some_error', message: words } })

describe.each(dialects)('a step of $id', (dialect) => {
  const name = `${dialect.id}/m/with/slashes`

  it('[AGT3] is one model call; its words stream, and its finish tells usage and model', async () => {
    const { upstream, models } = await serve(dialect, (response) => stream(response, dialect.reply(['Grü', 'ße 🐭'])))
    const events = await said(models.step(name, definition, stepRequest({ tools: toolSet([tool('calc')]) })))
    expect(textOf(events)).toBe('Grüße 🐭')
    expect(events.at(-1)).toMatchObject({
      type: 'finish',
      finishReason: 'stop',
      usage: { inputTokens: 20, outputTokens: 5, cachedTokens: 8 },
      model: name,
    })
    expect(upstream.asked).toHaveLength(1)
    const [asked] = upstream.asked
    expect(asked?.path).toBe(dialect.path)
    expect(asked?.headers[dialect.id === 'openai' ? 'authorization' : 'x-api-key']).toContain(secret)
    expect(asked?.body).toMatchObject({ model: 'm/with/slashes', stream: true })
    expect(JSON.stringify(asked?.body)).toContain('Does calc')
  })

  it('[AGT3] words are handed on as they come, though a character is cut in two between chunks', async () => {
    const bytes = Buffer.from(dialect.reply(['a🐭b']).join(''))
    const cut = bytes.indexOf(Buffer.from('🐭')) + 2
    let release = () => {}
    const { models } = await serve(dialect, (response) => {
      startStream(response)
      response.write(bytes.subarray(0, cut))
      release = () => void response.end(bytes.subarray(cut))
    })
    const events = said(models.step(name, definition, stepRequest()))
    await sleep(50)
    release()
    expect(textOf(await events)).toBe('a🐭b')
  })

  it('[AGT3] a cancel closes the connection, before the first word and in mid-stream', async () => {
    const parts = dialect.reply(['one', 'two'])
    const { upstream, models } = await serve(dialect, (response, _, count) => {
      if (count === 1) return
      startStream(response)
      response.write(parts.slice(0, -3).join(''))
    })
    for (const attempt of [0, 1]) {
      const abort = new AbortController()
      const ended = failureOf(models.step(name, definition, stepRequest({ signal: abort.signal })))
      while (upstream.asked.length <= attempt) await sleep(5)
      await sleep(50)
      const cancelledAt = performance.now()
      abort.abort(new Error('cancelled'))
      expect(await ended).toMatchObject({ message: 'cancelled' })
      expect(await upstream.asked[attempt]?.dropped).toBeGreaterThan(cancelledAt)
    }
  })

  it('[AGT3] whoever stops listening closes the connection', async () => {
    const { upstream, models } = await serve(dialect, (response) => {
      startStream(response)
      response.write(dialect.reply(['one']).slice(0, -3).join(''))
    })
    for await (const event of models.step(name, definition, stepRequest())) if (event.type === 'text') break
    expect(await upstream.asked[0]?.dropped).toBeGreaterThan(0)
  })

  const faults: [string, Answer, { retryAfterMs: number | null; isOutage: boolean }][] = [
    [
      '429 with Retry-After',
      (response) => json(response, 429, errorBody('slow down'), { 'retry-after': '3' }),
      { retryAfterMs: 3000, isOutage: true },
    ],
    ['500', (response) => json(response, 500, errorBody('oops')), { retryAfterMs: 0, isOutage: true }],
    ['529', (response) => json(response, 529, errorBody('overloaded')), { retryAfterMs: 0, isOutage: true }],
    ['a reset before the answer', (response) => void response.socket?.resetAndDestroy(), { retryAfterMs: 0, isOutage: true }],
    [
      'a reset in mid-stream',
      (response) => cutAfter(response, dialect.reply(['one', 'two']).slice(0, 3)),
      { retryAfterMs: 0, isOutage: true },
    ],
    [
      'an end in mid-stream',
      (response) => stream(response, dialect.reply(['one', 'two']).slice(0, -3)),
      { retryAfterMs: 0, isOutage: true },
    ],
    ['garbage first', (response) => stream(response, ['data: {"broken\n\n']), { retryAfterMs: 0, isOutage: true }],
    [
      'garbage in mid-stream',
      (response) => stream(response, [...dialect.reply(['one']).slice(0, -3), 'data: }garbage{\n\n']),
      { retryAfterMs: 0, isOutage: true },
    ],
    ['an empty answer', (response) => stream(response, []), { retryAfterMs: 0, isOutage: true }],
    ['400', (response) => json(response, 400, errorBody(`no ${secret} here`)), { retryAfterMs: null, isOutage: false }],
    ['401', (response) => json(response, 401, errorBody('bad key')), { retryAfterMs: null, isOutage: false }],
    ['404', (response) => json(response, 404, errorBody('no model')), { retryAfterMs: null, isOutage: false }],
  ]

  it.each(faults)('[AGT3] %s is told for what it is, without a secret', async (_, answer, expected) => {
    const { models } = await serve(dialect, answer)
    const error = await failureOf(models.step(name, definition, stepRequest()))
    expect(error).toBeInstanceOf(ModelError)
    expect(error).toMatchObject(expected)
    expect(JSON.stringify([error, (error as Error).message])).not.toContain(secret)
  })

  it('[AGT2] a provider that fails five times in a row rests, fails at once, and comes back', async () => {
    let isDown = true
    const clock = { now: Date.now() }
    const { upstream, models } = await serve(
      dialect,
      (response) => (isDown ? json(response, 503, errorBody('down')) : stream(response, dialect.reply(['hi']))),
      () => clock.now,
    )
    for (let time = 0; time < 5; time++) await failureOf(models.step(name, definition, stepRequest()))
    clock.now += 5000
    expect(await failureOf(models.step(name, definition, stepRequest()))).toMatchObject({ retryAfterMs: 10_000 })
    expect(upstream.asked).toHaveLength(5)
    isDown = false
    clock.now += 10_000
    expect(textOf(await said(models.step(name, definition, stepRequest())))).toBe('hi')
    expect(upstream.asked).toHaveLength(6)
  })
})

function cutAfter(response: ServerResponse, frames: readonly string[]): void {
  startStream(response)
  response.write(frames.join(''), () => setTimeout(() => response.socket?.resetAndDestroy(), 30))
}

describe('what only one of them does', () => {
  it('[AGT3] Anthropic signs its thoughts, and gets them back with cache marks', async () => {
    const upstream = await smallUpstream((response) => stream(response, anthropicMessage(['Hi'])))
    const models = createModels({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: upstream.url })
    const events = await said(models.step('anthropic/m', definition, stepRequest()))
    const metadata = { anthropic: { signature: 'c2lnbmVk' } }
    expect(events).toContainEqual({ type: 'part-end', part: 'reasoning', metadata })
    const answer = message('assistant', [
      { type: 'reasoning', text: 'Hm.', providerMetadata: metadata },
      { type: 'text', text: 'Hi' },
    ])
    const context = [message('user', [{ type: 'text', text: 'Hello' }]), answer, message('user', [{ type: 'text', text: 'And?' }])]
    await said(models.step('anthropic/m', definition, stepRequest({ context })))
    const mark = { type: 'ephemeral' }
    expect(upstream.asked[1]?.body).toMatchObject({
      system: [{ type: 'text', text: 'Be brief.', cache_control: mark }],
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: 'c2lnbmVk' },
            { type: 'text', text: 'Hi', cache_control: mark },
          ],
        },
        { role: 'user', content: [{ type: 'text', text: 'And?', cache_control: mark }] },
      ],
    })
  })

  it('[AGT2] a server without a key is asked without one, and its first model is the default', async () => {
    const models = ['llama', 'qwen'].map((id) => ({ id, object: 'model', context_length: id === 'llama' ? 8192 : undefined }))
    const upstream = await smallUpstream((response, { path }) => {
      if (path === '/v1/models') json(response, 200, { object: 'list', data: models })
      else stream(response, chatCompletion(['hi']))
    })
    const local = createModels({ OPENAI_BASE_URL: `${upstream.url}/v1` })
    expect(local.windowOf(null, undefined)).toBe(128_000)
    expect((await said(local.step(null, definition, stepRequest()))).at(-1)).toMatchObject({ model: 'openai/llama' })
    expect(upstream.asked.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined])
    expect([local.windowOf(null, undefined), local.windowOf(null, 4000), local.windowOf('openai/qwen', undefined)]).toEqual([
      8192, 4000, 128_000,
    ])
  })

  it('[AGT2] settings of the agent are the call’s', async () => {
    const upstream = await smallUpstream((response) => stream(response, chatCompletion(['hi'])))
    const models = createModels({ OPENAI_BASE_URL: upstream.url })
    await said(models.step('openai/m', { ...definition, maxOutputTokens: 99, temperature: 0.5, reasoning: 'low' }, stepRequest()))
    expect(upstream.asked[0]?.body).toMatchObject({
      max_tokens: 99,
      temperature: 0.5,
      reasoning_effort: 'low',
      stream_options: { include_usage: true },
    })
  })

  it('[AGT2] Workers AI is asked through its binding, and streams', async () => {
    const asked: unknown[] = []
    const frames = [
      'data: {"response":"Hel"}\n\n',
      'data: {"response":"lo"}\n\n',
      'data: {"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
    ]
    const binding = {
      run: async (...call: unknown[]) => {
        asked.push(call)
        return new Blob([...frames, 'data: [DONE]\n\n']).stream()
      },
      models: async () => [
        { name: '@cf/meta/llama', properties: [{ property_id: 'context_window', value: '24000' }] },
        { name: '@cf/qwen/qwen', properties: [] },
      ],
    } as unknown as Ai
    const models = createModels({ AI: binding })
    const events = await said(models.step('workers-ai/@cf/meta/llama', definition, stepRequest()))
    expect(textOf(events)).toBe('Hello')
    expect(events.at(-1)).toMatchObject({ usage: { inputTokens: 3, outputTokens: 2 }, model: 'workers-ai/@cf/meta/llama' })
    expect(asked[0]).toMatchObject(['@cf/meta/llama', { messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }] }, {}])
    const { items } = await models.list()
    expect(items.map(({ id, window, default: isDefault }) => [id, window, isDefault])).toEqual([
      ['workers-ai/@cf/meta/llama-3.3-70b-instruct-fp8-fast', 24_000, true],
      ['workers-ai/@cf/meta/llama', 24_000, false],
      ['workers-ai/@cf/qwen/qwen', 128_000, false],
    ])
  })
})

describe('the list of models', () => {
  const modelsAt = (entries: unknown[]) => (response: ServerResponse) => json(response, 200, { data: entries })

  function both(openai: SmallUpstream, anthropic: SmallUpstream): ProviderEnvironment {
    return {
      OPENAI_BASE_URL: openai.url,
      OPENAI_API_KEY: secret,
      ANTHROPIC_BASE_URL: anthropic.url,
      ANTHROPIC_API_KEY: secret,
      DORMOUSE_MODEL: 'anthropic/claude-x',
    }
  }

  it('[AGT2] is what every provider offers, page after page, with the default among it', async () => {
    const openai = await smallUpstream(modelsAt([{ id: 'a', max_model_len: 32_768 }, { nonsense: true }, { id: 'b' }]))
    const anthropic = await smallUpstream((response, { path }) => {
      const isLast = path.includes('after_id=claude-x')
      const id = isLast ? 'claude-y' : 'claude-x'
      json(response, 200, { data: [{ id, display_name: id.toUpperCase(), type: 'model' }], has_more: !isLast, last_id: id })
    })
    const { items, providers } = await createModels(both(openai, anthropic)).list()
    expect(items).toEqual([
      { id: 'openai/a', provider: 'openai', name: null, window: 32_768, default: false },
      { id: 'openai/b', provider: 'openai', name: null, window: 128_000, default: false },
      { id: 'anthropic/claude-x', provider: 'anthropic', name: 'CLAUDE-X', window: 200_000, default: true },
      { id: 'anthropic/claude-y', provider: 'anthropic', name: 'CLAUDE-Y', window: 200_000, default: false },
    ])
    expect(providers.map(({ id, status, circuit, error }) => [id, status, circuit, error])).toEqual([
      ['openai', 'ok', 'closed', null],
      ['anthropic', 'ok', 'closed', null],
      ['workers-ai', 'not_configured', 'closed', null],
    ])
    expect(anthropic.asked[0]?.headers).toMatchObject({ 'x-api-key': secret, 'anthropic-version': '2023-06-01' })
  })

  it('[AGT2] one provider that is down is said to be, without a secret, and hides no other', async () => {
    const openai = await smallUpstream((response) => json(response, 500, { error: { message: `boom ${secret}` } }))
    const anthropic = await smallUpstream(modelsAt([{ id: 'claude-x' }]))
    const { items, providers } = await createModels(both(openai, anthropic)).list()
    expect(items.map(({ id }) => id)).toEqual(['anthropic/claude-x'])
    expect(providers[0]).toEqual({
      id: 'openai',
      status: 'down',
      circuit: 'closed',
      error: 'The provider openai answered 500: boom ***',
      checkedAt: null,
    })
  })

  it('[AGT2] an open circuit shows', async () => {
    const openai = await smallUpstream((response, { path }) =>
      path.endsWith('/models') ? json(response, 200, { data: [{ id: 'a' }] }) : json(response, 503, {}),
    )
    const models = createModels({ OPENAI_BASE_URL: openai.url })
    for (let time = 0; time < 5; time++) await failureOf(models.step('openai/a', definition, stepRequest()))
    const { items, providers } = await models.list()
    expect(items).toHaveLength(1)
    expect(providers[0]).toMatchObject({ status: 'down', circuit: 'open', error: expect.stringContaining('rests') as string })
  })

  it('[AGT2] 200 that ask at once are one request to the provider', async () => {
    const openai = await smallUpstream(async (response) => {
      await sleep(30)
      json(response, 200, { data: [{ id: 'a' }] })
    })
    const models = createModels({ OPENAI_BASE_URL: openai.url })
    await Promise.all(Array.from({ length: 200 }, () => models.list()))
    expect(openai.asked).toHaveLength(1)
  })
})

describe('names and defaults', () => {
  it.each<[ProviderEnvironment, string | null]>([
    [{ OPENAI_API_KEY: 'k' }, 'openai/gpt-5-mini'],
    [{ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'https://api.openai.com/v1' }, 'openai/gpt-5-mini'],
    [{ OPENAI_API_KEY: '', ANTHROPIC_API_KEY: 'k' }, 'anthropic/claude-sonnet-4-5'],
    [{ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'https://api.anthropic.com' }, 'anthropic/claude-sonnet-4-5'],
  ])('[AGT2] %o: an agent that names none gets %s', (environment, name) => {
    const models = createModels(environment)
    expect(models.isConfigured).toBe(true)
    expect(models.windowOf(null, undefined)).toBe(models.windowOf(name, undefined))
  })

  it('[AGT2] DORMOUSE_MODEL is the default, whatever comes first', () => {
    const models = createModels({ OPENAI_API_KEY: 'k', DORMOUSE_MODEL: 'openai/gpt-4o' })
    expect(models.windowOf(null, undefined)).toBe(128_000)
  })

  it('[AGT2] empty variables configure nothing', async () => {
    const models = createModels({ OPENAI_API_KEY: ' ', OPENAI_BASE_URL: '', ANTHROPIC_API_KEY: '' })
    expect(models.isConfigured).toBe(false)
    expect(await failureOf(models.step(null, definition, stepRequest()))).toMatchObject({
      message: 'No model provider is configured on this server.',
    })
    expect((await models.list()).providers.map(({ status }) => status)).toEqual(['not_configured', 'not_configured', 'not_configured'])
  })

  it.each([
    ['gpt-5', 'A model is named provider/model, which gpt-5 is not.'],
    ['anthropic/x', 'The model provider anthropic is not configured on this server.'],
    ['acme/x', 'There is no model provider acme on this server.'],
  ])('[AGT2] %s cannot be asked, and why is said', async (name, words) => {
    const error = await failureOf(createModels({ OPENAI_API_KEY: 'k' }).step(name, definition, stepRequest()))
    expect(error).toMatchObject({ message: words, retryAfterMs: null })
  })

  it('[AGT2] an address that is none is said to be', async () => {
    const models = createModels({ OPENAI_BASE_URL: 'localhost:11434/v1', DORMOUSE_MODEL: 'openai/a' })
    const words = 'The address of the provider openai is not an http or https address.'
    expect(await failureOf(models.step(null, definition, stepRequest()))).toMatchObject({ message: words, retryAfterMs: null })
    expect((await models.list()).providers[0]).toMatchObject({ status: 'down', error: words })
  })

  it.each([
    ['anthropic/claude-opus-4-1', 200_000],
    ['openai/gpt-5-mini', 400_000],
    ['openai/gpt-4.1-nano', 1_047_576],
    ['openai/gpt-4', 8192],
    ['openai/anthropic/claude-sonnet-4-5', 200_000],
    ['workers-ai/@cf/meta/llama-3.3-70b-instruct-fp8-fast', 24_000],
    ['openai/never-heard-of', 128_000],
  ])('[AGT2] %s takes %i tokens as far as is known', (name, window) => {
    expect(createModels({}).windowOf(name, undefined)).toBe(window)
  })

  it('[AGT2] an isolate has one set of models for one environment', () => {
    expect(modelsOf({ OPENAI_API_KEY: 'a' })).toBe(modelsOf({ OPENAI_API_KEY: 'a' }))
    expect(modelsOf({ OPENAI_API_KEY: 'a' })).not.toBe(modelsOf({ OPENAI_API_KEY: 'b' }))
    expect(modelsOf({ OPENAI_API_KEY: 'a' })).not.toBe(modelsOf({ OPENAI_API_KEY: 'a', DORMOUSE_MODEL: 'openai/x' }))
  })
})
