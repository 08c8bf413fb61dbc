/** Calls of tools as a session makes them. */
import type { Tool, ToolCall } from '../../../src/agents/tools/tool.ts'

let calls = 0

export function toolCall(more: Partial<ToolCall> = {}): ToolCall {
  calls += 1
  return {
    toolCallId: `msg_test-${calls}`,
    sessionId: 'ses_one',
    turnId: 'trn_one',
    notes: [],
    now: () => 0,
    signal: new AbortController().signal,
    ...more,
  }
}

export function named(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((each) => each.name === name)
  if (!tool) throw new Error(`There is no ${name} among ${tools.map((each) => each.name).join(', ')}`)
  return tool
}
