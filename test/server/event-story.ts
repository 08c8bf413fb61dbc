/** A log as a short story, one line an event, without what differs from run to run; and what is wrong with it whatever it tells. */
import { isTerminal, type Event } from '../../src/protocol/event.ts'
import type { Message, Part } from '../../src/protocol/message.ts'

export function storyOf(events: Event[]): string[] {
  return events.map(lineOf)
}

function lineOf(event: Event): string {
  switch (event.type) {
    case 'message.completed':
      return messageLine(event.message)
    case 'tool.started':
      return `tool.started ${event.toolName}`
    case 'approval.requested':
      return `approval.requested ${event.approval.toolName}`
    case 'approval.resolved':
      return `approval.resolved ${event.approval.status}`
    case 'turn.resumed':
      return `turn.resumed ${event.reason}${event.supersedes === undefined ? '' : ' anew'}`
    case 'turn.completed':
      return `turn.completed ${event.finishReason}`
    case 'turn.failed':
      return `turn.failed ${event.error.code}`
    default:
      return event.type
  }
}

function messageLine({ role, parts, finishReason }: Message): string {
  const words = parts.map(partWord).join(', ')
  return finishReason === undefined ? `${role}: ${words}` : `${role} (${finishReason}): ${words}`
}

function partWord(part: Part): string {
  if (part.type === 'tool-call') return `calls ${part.toolName}`
  if (part.type === 'tool-result') return `${part.toolName} ${part.isError ? 'error' : 'ok'}`
  return part.type
}

/** Rules that hold for any log of a session at rest. */
export function faultsOf(events: Event[]): string[] {
  const gaps = events.flatMap(({ seq }, index) => (seq === index + 1 ? [] : [`LOG1: seq ${seq} stands where ${index + 1} is due`]))
  const turnIds = events.flatMap((event) => (event.type === 'turn.queued' ? [event.turnId] : []))
  return [...gaps, ...turnIds.flatMap((turnId) => endFaults(events, turnId)), ...callFaults(events), ...approvalFaults(events)]
}

function endFaults(events: Event[], turnId: string): string[] {
  const ofTurn = events.filter((event) => 'turnId' in event && event.turnId === turnId)
  const ends = ofTurn.filter(isTerminal).length
  const isLast = ofTurn.slice(0, -1).every((event) => !isTerminal(event))
  return ends === 1 && isLast ? [] : [`TRN3: ${turnId} has ${ends} ends among ${ofTurn.length} events`]
}

/** No call has two results; what started was called; only an idempotent one started twice. */
function callFaults(events: Event[]): string[] {
  const parts = events.flatMap((event) => (event.type === 'message.completed' ? event.message.parts : []))
  const made = parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
  const results = parts.flatMap((part) => (part.type === 'tool-result' ? [part.toolCallId] : []))
  const started = events.flatMap((event) => (event.type === 'tool.started' ? [event] : []))
  return [
    ...twice(made).map((id) => `TOOL1: ${id} was made twice`),
    ...twice(results).map((id) => `TOOL1: ${id} has two results`),
    ...results.filter((id) => !made.includes(id)).map((id) => `TOOL1: ${id} has a result and was not made`),
    ...twice(started.filter(({ idempotent }) => !idempotent).map(({ toolCallId }) => toolCallId)).map((id) => `TOOL2: ${id} started twice`),
  ]
}

/** Each approval is asked once and resolved once; its call starts only behind an allow. */
function approvalFaults(events: Event[]): string[] {
  const asked = events.flatMap((event) => (event.type === 'approval.requested' ? [event.approval] : []))
  const resolved = events.flatMap((event) => (event.type === 'approval.resolved' ? [event.approval.id] : []))
  return [
    ...twice(asked.map(({ toolCallId }) => toolCallId)).map((id) => `APR1: ${id} was asked for twice`),
    ...twice(resolved).map((id) => `APR2: ${id} was resolved twice`),
    ...asked.filter(({ id }) => !resolved.includes(id)).map(({ id }) => `APR1: ${id} was never resolved`),
    ...asked.flatMap(({ toolCallId }) => (startsUnallowed(events, toolCallId) ? [`APR5: ${toolCallId} started without an allow`] : [])),
  ]
}

function startsUnallowed(events: Event[], toolCallId: string): boolean {
  const start = events.findIndex((event) => event.type === 'tool.started' && event.toolCallId === toolCallId)
  const allowed = events
    .slice(0, Math.max(0, start))
    .some((event) => event.type === 'approval.resolved' && event.approval.toolCallId === toolCallId && event.approval.status === 'allowed')
  return start >= 0 && !allowed
}

function twice(ids: string[]): string[] {
  return [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))]
}
