/** Messages on the path: a turn's input stands at its `turn.started`, everything else at its `message.completed` (rule TRN8). */
import { buildContext } from '../core/build-context.ts'
import { contextTokens } from '../core/context-window.ts'
import type { SessionState } from '../core/state.ts'
import type { Page } from '../protocol/body.ts'
import type { Event, EventOf } from '../protocol/event.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { InputPart, Message, Part } from '../protocol/message.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { commitsAfter, eventAt, readBackwards } from './read-log.ts'
import { readNotes } from './read-notes.ts'
import { inputOf, readInput } from './read-turns.ts'
import type { ContextView, SearchHit } from './requests.ts'

/** The message that stands at this event, or null. `nearby`: events that may hold a turn's input, to spare a read. */
function messageAt(store: SessionStore, event: Event, nearby: readonly Event[] = []): Message | null {
  if (event.type === 'message.completed') return event.message
  return event.type === 'turn.started' ? inputMessage(store, event, nearby) : null
}

function inputMessage(store: SessionStore, event: EventOf<'turn.started'>, nearby: readonly Event[]): Message {
  const parts = event.inputSeqs.flatMap((seq): InputPart[] => {
    const near = nearby.find((item) => item.seq === seq)
    return near ? inputOf(near) : readInput(store, [seq])
  })
  return { id: event.messageId, seq: event.seq, turnId: event.turnId, role: 'user', parts, createdAt: event.at }
}

/** Oldest first within the page; `next` is the next older `before`. `at`: the path as of that seq. */
export function readMessages(
  store: SessionStore,
  state: SessionState,
  { before, limit, at }: { before: number | null; limit: number; at: number | null },
): Page<Message> {
  const end = Math.min(before ?? Infinity, (at ?? state.head) + 1)
  const items: Message[] = []
  let bytes = 0
  const next = readBackwards(store, end, (event) => {
    const message = messageAt(store, event)
    if (!message) return true
    items.push(message)
    bytes += jsonBytes(message)
    return items.length < limit && bytes < limits.pageBytes
  })
  return { items: items.reverse(), next }
}

/** The messages that stand at a commit's events. */
export function messagesOf(store: SessionStore, events: readonly Event[]): Message[] {
  return events.flatMap((event) => messageAt(store, event, events) ?? [])
}

/** Every message with a seq in (afterSeq, toSeq], oldest first. */
export function readMessagesBetween(store: SessionStore, afterSeq: number, toSeq: number): Message[] {
  const messages: Message[] = []
  for (const commit of commitsAfter(store, afterSeq)) {
    if ((commit.events[0]?.seq ?? 0) > toSeq) break
    messages.push(...messagesOf(store, commit.events).filter(({ seq }) => seq > afterSeq && seq <= toSeq))
  }
  return messages
}

export function readTurnMessages(store: SessionStore, turnId: string, queuedSeq: number, toSeq: number): Message[] {
  return readMessagesBetween(store, queuedSeq - 1, toSeq).filter((message) => message.turnId === turnId)
}

/** What the model would get after `toSeq`. */
export function readContext(store: SessionStore, state: SessionState, toSeq: number): ContextView {
  const { context } = state
  const first = context.spans[0]
  const kept = first ? readMessagesBetween(store, first.fromSeq - 1, toSeq) : []
  const messages = buildContext(kept, context.omittedMessages)
  return { messages, tokens: contextTokens(context), window: context.window, compaction: null, notes: readNotes(store, state) }
}

const snippetUnits = 80

/** Messages in which every word of `q` occurs, newest first; a page looks at a bounded part of the log. */
export function searchMessages(
  store: SessionStore,
  state: SessionState,
  { q, before, limit }: { q: string; before: number | null; limit: number },
): Page<SearchHit> {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean)
  const items: SearchHit[] = []
  const next = readBackwards(store, before ?? state.head + 1, (event) => {
    const message = messageAt(store, event)
    const snippet = message && snippetOf(textOf(message.parts), words)
    if (message && snippet !== null) items.push({ seq: message.seq, messageId: message.id, snippet, compacted: false })
    return items.length < limit
  })
  return { items, next }
}

function snippetOf(text: string, words: string[]): string | null {
  const lower = text.toLowerCase()
  if (words.length === 0 || !words.every((word) => lower.includes(word))) return null
  const at = lower.indexOf(words[0] ?? '')
  const from = Math.max(0, at - snippetUnits)
  const to = Math.min(text.length, at + snippetUnits)
  return `${from > 0 ? '…' : ''}${text.slice(from, to).toWellFormed()}${to < text.length ? '…' : ''}`
}

export function textOf(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
}

/** The newest message's text, for lists. */
export function lastMessageText(store: SessionStore, state: SessionState): string | null {
  const event = state.lastMessageSeq === null ? null : eventAt(store, state.lastMessageSeq)
  const message = event && messageAt(store, event)
  return message ? textOf(message.parts).slice(0, limits.lastMessageCharacters).toWellFormed() : null
}
