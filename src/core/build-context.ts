/**
 * The messages an agent is given: the kept ones in path order, behind a marker that says what was left out, and with a
 * result for every tool call, for providers refuse a call without one (rule TRN3).
 */
import { messageIdAt, omissionMarkerId } from '../protocol/ids.ts'
import type { Message, Part } from '../protocol/message.ts'

export function buildContext(kept: readonly Message[], omittedMessages: number): Message[] {
  return withOmissionMarker(withToolResults(kept), omittedMessages)
}

export function withOmissionMarker(kept: readonly Message[], omittedMessages: number): Message[] {
  const first = kept[0]
  return omittedMessages > 0 && first ? [marker(first, omittedMessages), ...kept] : [...kept]
}

function marker(first: Message, omittedMessages: number): Message {
  const count = omittedMessages === 1 ? '1 earlier message was' : `${omittedMessages} earlier messages were`
  return {
    id: omissionMarkerId(first.turnId),
    seq: 1,
    turnId: first.turnId,
    role: 'user',
    parts: [{ type: 'text', text: `[${count} left out here: the conversation is longer than the context window.]` }],
    createdAt: first.createdAt,
  }
}

export function withToolResults(messages: readonly Message[]): Message[] {
  return messages.flatMap((message, index) => {
    const calls = message.parts.filter((part) => part.type === 'tool-call')
    if (calls.length === 0) return [message]
    const answered = resultsAfter(messages, index)
    const missing = calls.filter((call) => !answered.has(call.toolCallId))
    return missing.length === 0 ? [message] : [message, synthetic(message, missing)]
  })
}

export function hasCall({ parts }: Message): boolean {
  return parts.some((part) => part.type === 'tool-call')
}

/** Ids of the results that belong to this message's calls: its own, and those of the tool messages right behind it. */
function resultsAfter(messages: readonly Message[], index: number): Set<string> {
  const ids = new Set<string>()
  for (let at = index; at === index || messages[at]?.role === 'tool'; at++) {
    for (const part of messages[at]?.parts ?? []) if (part.type === 'tool-result') ids.add(part.toolCallId)
  }
  return ids
}

type ToolCall = Extract<Part, { type: 'tool-call' }>

function synthetic({ seq, turnId, createdAt }: Message, calls: ToolCall[]): Message {
  const parts = calls.map(({ toolCallId, toolName }): Part => {
    return { type: 'tool-result', toolCallId, toolName, output: 'No result: the turn ended before this tool did.', isError: true }
  })
  return { id: messageIdAt(seq, 1, turnId), seq, turnId, role: 'tool', parts, createdAt }
}
