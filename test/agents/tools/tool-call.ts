import type { ToolCall } from '../../../src/agents/tools/tool.ts'

/** A call at a fixed time, of a session without notes. */
export function callOf(more: Partial<ToolCall> = {}): ToolCall {
  const ids = { toolCallId: 'call_1', sessionId: 'session_1', turnId: 'turn_1' }
  return { ...ids, notes: [], now: () => 1_700_000_000_123, signal: new AbortController().signal, ...more }
}
