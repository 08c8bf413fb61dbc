/** The providers' packages in the runtime they are deployed to: each is imported, asked and listened to there. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createModels } from '../../../src/agents/models/models.ts'
import { said, stepRequest, textOf } from './step-requests.ts'

const sse = (frames: readonly object[]) => frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')

const completion = sse([
  { id: 'c', choices: [{ index: 0, delta: { content: 'Grüße' }, finish_reason: null }] },
  { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
])

const usage = { input_tokens: 1, output_tokens: 1 }
const anthropic = sse([
  { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Grüße' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } },
  { type: 'message_stop' },
])

afterEach(() => {
  vi.restoreAllMocks()
})

describe('providers in the Workers runtime', () => {
  it.each([
    ['openai/m', { OPENAI_API_KEY: 'k' }, completion],
    ['anthropic/m', { ANTHROPIC_API_KEY: 'k' }, anthropic],
  ])('[AGT2] %s answers', async (name, environment, body) => {
    vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    expect(textOf(await said(createModels(environment).step(name, {}, stepRequest())))).toBe('Grüße')
  })

  it('[AGT2] workers-ai answers through its binding', async () => {
    const run = async () => new Response('data: {"response":"Grüße"}\n\ndata: [DONE]\n\n').body
    const binding = { run } as unknown as Ai
    const models = createModels({ AI: binding })
    expect(textOf(await said(models.step('workers-ai/@cf/m', {}, stepRequest())))).toBe('Grüße')
  })
})
