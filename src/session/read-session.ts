/** A session as clients and the index see it: a function of its log up to `head`, and of nothing else. */
import { contextMessages, contextTokens } from '../core/context-window.ts'
import type { SessionState } from '../core/state.ts'
import type { Principal } from '../protocol/access.ts'
import type { Session, SessionStatus } from '../protocol/session.ts'
import type { IndexEntry } from '../session-index/index-entry.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { pendingApprovals, previewApproval } from './read-approvals.ts'
import { eventAt } from './read-log.ts'
import { lastMessageText } from './read-messages.ts'
import { activeTurn, previewInput, queuedTurn } from './read-turns.ts'

/** Session tokens do not see `instructions`. */
export function readSession(store: SessionStore, state: SessionState, principal: Principal): Session {
  const { active, context, usage } = state
  return {
    id: state.sessionId,
    title: state.title,
    status: statusOf(state),
    agent: state.agent,
    model: state.model,
    ...(principal.kind !== 'token' && { instructions: readInstructions(store, state) }),
    metadata: readMetadata(store, state),
    tags: state.tags,
    archived: state.archived,
    settings: state.settings,
    createdAt: state.createdAt,
    updatedAt: state.lastAt,
    head: state.head,
    parent: state.parent,
    activeTurn: active && activeTurn(store, active),
    queue: state.queue.map((turn, index) => {
      const whole = queuedTurn(store, turn, index + 1)
      return { ...whole, input: previewInput(whole.input) }
    }),
    pendingApprovals: pendingApprovals(store, state).map(previewApproval),
    context: { tokens: contextTokens(context), window: context.window, messages: contextMessages(context), compaction: null },
    usage,
  }
}

export function readIndexEntry(store: SessionStore, state: SessionState, tenant: string): IndexEntry {
  return {
    tenant,
    version: state.head,
    usage: state.usage,
    searchText: null,
    summary: {
      id: state.sessionId,
      title: state.title,
      status: statusOf(state),
      agent: state.agent,
      model: state.model,
      tags: state.tags,
      archived: state.archived,
      parent: state.parent,
      createdAt: state.createdAt,
      updatedAt: state.lastAt,
      head: state.head,
      turns: state.usage.turns,
      lastMessage: lastMessageText(store, state),
    },
  }
}

export function readInstructions(store: SessionStore, state: SessionState): string | null {
  return profileAt(store, state.instructionsSeq)?.instructions ?? null
}

function readMetadata(store: SessionStore, state: SessionState): Record<string, unknown> {
  return profileAt(store, state.metadataSeq)?.metadata ?? {}
}

function profileAt(store: SessionStore, seq: number | null) {
  const event = seq === null ? null : eventAt(store, seq)
  if (event?.type === 'session.created') return event
  return event?.type === 'session.updated' ? event.patch : null
}

function statusOf({ active }: SessionState): SessionStatus {
  return active?.status ?? 'idle'
}
