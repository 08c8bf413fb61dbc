/** Steps for the tests of models: a request with what a test cares about, and what becomes of its words. */
import type { AgentEvent, StepRequest } from '../../../src/agents/agent.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import { noTools } from '../../../src/agents/tools/tool.ts'
import type { Message, Part } from '../../../src/protocol/message.ts'

export function stepRequest(fields: Partial<StepRequest> = {}): StepRequest {
  return {
    sessionId: 'ses_00000000000000000000000000',
    turnId: 'trn_2',
    step: 1,
    instructions: null,
    context: [message('user', [{ type: 'text', text: 'Hello' }])],
    contextTokens: 1,
    notes: [],
    tools: noTools,
    steered: [],
    steerWaiting: () => false,
    signal: new AbortController().signal,
    sleep: () => Promise.resolve(),
    ...fields,
  }
}

export function message(role: Message['role'], parts: Part[], fields: Partial<Message> = {}): Message {
  return { id: 'msg_1', seq: 1, turnId: 'trn_2', role, parts, createdAt: 0, ...fields }
}

export function tool(name: string): Tool {
  return {
    name,
    description: `Does ${name}`,
    inputSchema: { type: 'object', properties: { a: { type: 'number' } } },
    approval: 'never',
    idempotent: true,
    timeoutMs: 1000,
    maxOutputBytes: 1000,
    problemOf: () => null,
    run: async () => ({ output: null }),
  }
}

export async function said(words: AsyncIterable<AgentEvent>): Promise<AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const event of words) events.push(event)
  return events
}

export function textOf(events: readonly AgentEvent[]): string {
  return events.flatMap((event) => (event.type === 'text' ? [event.text] : [])).join('')
}

export async function failureOf(words: AsyncIterable<AgentEvent>): Promise<unknown> {
  return said(words).then(
    (events) => {
      throw new Error(`It did not fail: ${JSON.stringify(events)}`)
    },
    (error: unknown) => error,
  )
}
