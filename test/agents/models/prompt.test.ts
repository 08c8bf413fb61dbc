import { describe, expect, it } from 'vitest'
import { promptOf, promptTools, type PromptTarget } from '../../../src/agents/models/prompt.ts'
import { accessOf, traitsOf, type PromptTraits } from '../../../src/agents/models/provider.ts'
import { providers } from '../../../src/agents/models/providers.ts'
import { toolSet } from '../../../src/agents/tools/tool.ts'
import type { Message, Part } from '../../../src/protocol/message.ts'
import { message, stepRequest, tool } from './step-requests.ts'

const plain: PromptTraits = { metadataKey: 'openai', reasoning: 'never', cacheMarks: false, takesFile: () => true }

function target(traits: Partial<PromptTraits> = {}, model = 'openai/m'): PromptTarget {
  return { model, traits: { ...plain, ...traits } }
}

function contents(context: Message[], to = target()): unknown[] {
  return promptOf('', stepRequest({ context }), to).map(({ role, content }) => [role, content])
}

function traitsIn(id: string, environment: object): PromptTraits {
  const kind = providers.find((each) => each.id === id)
  const access = kind && accessOf(kind, environment)
  if (!kind || !access) throw new Error(`${id} is not configured`)
  return traitsOf(kind, access)
}

const user = (...parts: Part[]) => message('user', parts)
const text = (words: string): Part => ({ type: 'text', text: words })

describe('the order of a prompt', () => {
  const notes = [
    { key: 'name', text: 'Ann' },
    { key: 'plan', text: 'one\ntwo' },
  ]

  it('[AGT5] is instructions, notes, messages; one system message where a provider marks no caches', () => {
    const prompt = promptOf('Be brief.', stepRequest({ notes }), target())
    expect(prompt.map(({ role }) => role)).toEqual(['system', 'user'])
    expect(prompt[0]?.content).toBe(
      'Be brief.\n\n<notes>\nWhat you noted in this conversation, oldest first.\n- name: Ann\n- plan: one\n  two\n</notes>',
    )
  })

  it('[AGT1] the instructions of a session take the place of its agent’s; blank ones leave none', () => {
    const first = (instructions: string | null) => promptOf('The agent’s.', stepRequest({ instructions }), target())[0]
    expect(first(null)?.content).toBe('The agent’s.')
    expect(first('The session’s.')?.content).toBe('The session’s.')
    expect(first(' ')?.role).toBe('user')
  })

  it('[AGT5] four cache marks at most: instructions, notes, and the last two messages', () => {
    const context = ['a', 'b', 'c', 'd'].map((words, index) => message(index % 2 === 0 ? 'user' : 'assistant', [text(words)]))
    const prompt = promptOf('Be brief.', stepRequest({ notes, context }), target({ cacheMarks: true }))
    const marked = prompt.map(({ role, providerOptions }) => [role, providerOptions?.['anthropic']?.['cacheControl'] !== undefined])
    expect(marked).toEqual([
      ['system', true],
      ['system', true],
      ['user', false],
      ['assistant', false],
      ['user', true],
      ['assistant', true],
    ])
    // The marks move on; what was mapped for the step before stays as it was.
    const next = promptOf('Be brief.', stepRequest({ notes, context: [...context, user(text('e'))] }), target({ cacheMarks: true }))
    expect(next.filter(({ providerOptions }) => providerOptions).length).toBe(4)
  })

  it('[AGT5] the beginning of the next prompt is this prompt, byte for byte', () => {
    const context = [user(text('a')), message('assistant', [text('b')])]
    const one = JSON.stringify(promptOf('I', stepRequest({ context, notes }), target()))
    const two = JSON.stringify(promptOf('I', stepRequest({ context: [...context, user(text('c'))], notes }), target()))
    expect(two.startsWith(one.slice(0, -1))).toBe(true)
  })

  it('[AGT5] tools are named in one order, and described once', () => {
    const set = toolSet([tool('zeta'), tool('alpha'), tool('Beta')])
    expect(promptTools(set).map(({ name }) => name)).toEqual(['Beta', 'alpha', 'zeta'])
    expect(promptTools(set)).toBe(promptTools(set))
    expect(promptTools(set)[1]).toEqual({
      type: 'function',
      name: 'alpha',
      description: 'Does alpha',
      inputSchema: tool('alpha').inputSchema,
    })
  })

  it('[AGT5] a message is mapped once for one model, and again for another', () => {
    const context = [message('assistant', [text('b')])]
    const once = promptOf('', stepRequest({ context }), target())
    expect(promptOf('', stepRequest({ context }), target())[0]).toBe(once[0])
    expect(promptOf('', stepRequest({ context }), target({}, 'openai/other'))[0]).not.toBe(once[0])
  })
})

describe('messages that providers would refuse', () => {
  it('[AGT5] blank texts go; what a user said keeps its place', () => {
    const context = [user(text('  ')), message('assistant', [text(' \n')]), user(text('a'), text('')), message('assistant', [])]
    expect(contents(context)).toEqual([
      ['user', [{ type: 'text', text: '[an empty message]' }]],
      ['user', [{ type: 'text', text: 'a' }]],
    ])
  })

  it('[AGT5] an input that is no object becomes one, and a name no tool can have becomes one that may be read', () => {
    const call = (toolName: string, input: unknown): Part => ({ type: 'tool-call', toolCallId: 'call_1', toolName, input })
    const calls = [call('a', '{"broken'), call('a', [1]), call('a', null), call('a', { x: 1 }), call('no.such tool/é', {}), call('', {})]
    const [, content] = contents([message('assistant', calls)])[0] as [string, { toolName: string; input: unknown }[]]
    expect(content.map(({ toolName, input }) => [toolName, input])).toEqual([
      ['a', {}],
      ['a', {}],
      ['a', {}],
      ['a', { x: 1 }],
      ['no_such_tool__', {}],
      ['unknown', {}],
    ])
  })

  it('[AGT5] results are text or JSON, and say whether they are errors; those in an answer stand behind it', () => {
    const result = (output: unknown, isError: boolean): Part => {
      return { type: 'tool-result', toolCallId: 'call_1', toolName: 't', output, isError }
    }
    const context = [
      message('assistant', [{ type: 'tool-call', toolCallId: 'call_1', toolName: 't', input: {} }, result('inside', false)]),
      message('tool', [result('fine', false)]),
      message('tool', [result('bad', true)]),
      message('tool', [result({ a: 1 }, false)]),
      message('tool', [result(undefined, true)]),
    ]
    const found = promptOf('', stepRequest({ context }), target())
    expect(found.map(({ role }) => role)).toEqual(['assistant', 'tool', 'tool', 'tool', 'tool', 'tool'])
    const outputs = found.slice(1).map(({ content }) => (content[0] as { output: unknown }).output)
    expect(outputs).toEqual([
      { type: 'text', value: 'inside' },
      { type: 'text', value: 'fine' },
      { type: 'error-text', value: 'bad' },
      { type: 'json', value: { a: 1 } },
      { type: 'error-json', value: null },
    ])
  })
})

describe('reasoning and signatures', () => {
  const thought = (providerMetadata?: Record<string, Record<string, unknown>>): Part => {
    return { type: 'reasoning', text: 'Hm.', ...(providerMetadata && { providerMetadata }) }
  }
  const answer = (part: Part, fields: Partial<Message> = {}) => message('assistant', [part, text('b')], { model: 'openai/m', ...fields })
  const kinds = (context: Message[], to: PromptTarget) => {
    return promptOf('', stepRequest({ context }), to).flatMap(({ content }) => (content as { type: string }[]).map(({ type }) => type))
  }

  it('[AGT5] Anthropic gets back what it signed, with the signature, and no other’s', () => {
    const to = target({ ...traitsIn('anthropic', { ANTHROPIC_API_KEY: 'k' }), cacheMarks: false }, 'anthropic/m')
    expect(contents([answer(thought({ anthropic: { signature: 's' }, openai: { x: 1 } }))], to)).toEqual([
      [
        'assistant',
        [
          { type: 'reasoning', text: 'Hm.', providerOptions: { anthropic: { signature: 's' } } },
          { type: 'text', text: 'b' },
        ],
      ],
    ])
    expect(kinds([answer(thought({ openai: { signature: 's' } }))], to)).toEqual(['text'])
    expect(kinds([answer(thought())], to)).toEqual(['text'])
  })

  it('[AGT5] servers of OpenAI’s dialect get back what the same model thought in this turn; OpenAI itself does not', () => {
    const to = target(traitsIn('openai', { OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1' }))
    expect(kinds([answer(thought())], to)).toEqual(['reasoning', 'text'])
    expect(kinds([answer(thought(), { turnId: 'trn_1' })], to)).toEqual(['text'])
    expect(kinds([answer(thought(), { model: 'openai/other' })], to)).toEqual(['text'])
    expect(kinds([answer(thought())], target(traitsIn('openai', { OPENAI_API_KEY: 'k' })))).toEqual(['text'])
  })

  it('[AGT5] a call keeps the signature that its provider put on it', () => {
    const call: Part = { type: 'tool-call', toolCallId: 'call_1', toolName: 't', input: {}, providerMetadata: { openai: { sig: 's' } } }
    const options = (to: PromptTarget) => {
      const [first] = promptOf('', stepRequest({ context: [message('assistant', [call])] }), to)
      return (first?.content[0] as { providerOptions?: unknown } | undefined)?.providerOptions
    }
    expect(options(target())).toEqual({ openai: { sig: 's' } })
    expect(options(target({ metadataKey: 'anthropic' }, 'anthropic/m'))).toBeUndefined()
  })
})

describe('files', () => {
  const data = Buffer.from('a,b\n1,ü\n').toString('base64')
  const file = (mediaType: string, more: object): Part => ({ type: 'file', mediaType, ...more })
  const first = (part: Part, id = 'anthropic') => {
    const environment = { OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k', AI: {} }
    const [, content] = contents([user(part)], target({ ...traitsIn(id, environment), cacheMarks: false }, `${id}/m`))[0] as [
      string,
      unknown[],
    ]
    return content[0]
  }

  it('[AGT5] pictures go as they are, by value and by address', () => {
    expect(first(file('image/png', { data, name: 'a.png' }))).toEqual({
      type: 'file',
      mediaType: 'image/png',
      data: { type: 'data', data },
      filename: 'a.png',
    })
    expect(first(file('image/png', { url: 'https://example.com/a.png' }), 'openai')).toEqual({
      type: 'file',
      mediaType: 'image/png',
      data: { type: 'url', url: new URL('https://example.com/a.png') },
    })
  })

  it('[AGT5] text is put into words, whatever the model takes', () => {
    expect(first(file('text/csv', { data, name: 'a.csv' }))).toEqual({ type: 'text', text: 'The file a.csv (text/csv):\n\na,b\n1,ü\n' })
    expect(first(file('application/json', { data }), 'workers-ai')).toEqual({
      type: 'text',
      text: 'A file (application/json):\n\na,b\n1,ü\n',
    })
  })

  it.each([
    ['anthropic', file('video/mp4', { data, name: 'a.mp4' }), '[The file a.mp4 (video/mp4) is not shown: this model does not take it.]'],
    ['anthropic', file('image/*', { data }), '[A file (image/*) is not shown: this model does not take it.]'],
    [
      'openai',
      file('application/pdf', { url: 'https://example.com/a.pdf' }),
      '[A file (application/pdf) is not shown: this model does not take it. It is at https://example.com/a.pdf.]',
    ],
    [
      'workers-ai',
      file('image/png', { url: 'https://example.com/a.png' }),
      '[A file (image/png) is not shown: this model does not take it. It is at https://example.com/a.png.]',
    ],
  ])('[AGT5] of a file that %s does not take, the model learns that it is there', (id, part, words) => {
    expect(first(part, id)).toEqual({ type: 'text', text: words })
  })
})
