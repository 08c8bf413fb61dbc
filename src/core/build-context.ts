/**
 * The messages an agent is given: the kept ones in path order, behind a marker that says what was left out, and with a
 * result for every tool call, for providers refuse a call without one (rule TRN3).
 */
import { messageIdAt, omissionMarkerId } from '../protocol/ids.ts'
import type { Message, Part } from '../protocol/message.ts'

export function buildContext(kept: readonly Message[], omittedMessages: number): Message[] {
  const complete = withToolResults(kept)
  const first = kept[0]
  return omittedMessages > 0 && first ? [marker(first, omittedMessages), ...complete] : complete
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

function withToolResults(messages: readonly Message[]): Message[] {
  const answered = new Set(messages.flatMap((message) => message.parts.flatMap(resultIdOf)))
  return messages.flatMap((message) => {
    const missing = message.parts.filter((part) => part.type === 'tool-call' && !answered.has(part.toolCallId))
    return missing.length === 0 ? [message] : [message, synthetic(message, missing)]
  })
}

function resultIdOf(part: Part): string[] {
  return part.type === 'tool-result' ? [part.toolCallId] : []
}

function synthetic(message: Message, calls: Part[]): Message {
  const parts = calls.flatMap((call): Part[] =>
    call.type === 'tool-call'
      ? [
          {
            type: 'tool-result',
            toolCallId: call.toolCallId,
            toolName: call.toolName,
            output: 'No result: the turn ended before this tool did.',
            isError: true,
          },
        ]
      : [],
  )
  return { ...message, id: messageIdAt(message.seq, 1, message.turnId), role: 'tool', parts }
}
