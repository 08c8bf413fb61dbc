/**
 * `reduce` makes the state from events and does nothing else: waking up replays events through it and re-decides nothing
 * (rule LOG3). It trusts its events, for `decide` checked them before they were stored.
 */
import type { Event, EventOf, TerminalEvent } from '../protocol/event.ts'
import type { TokenUsage } from '../protocol/message.ts'
import { jsonBytes } from '../protocol/limits.ts'
import type { SessionUsage } from '../protocol/session.ts'
import { noTurnUsage, type TurnUsage } from '../protocol/turn.ts'
import { bySession } from '../protocol/by.ts'
import type { Commit } from '../protocol/commit.ts'
import { growSpan, openSpan, resizeWindow } from './context-window.ts'
import { noTokenUsage, type ActiveTurn, type OpenCall, type SessionState } from './state.ts'
import { estimateTokens } from './tokens.ts'

export function reduce(state: SessionState | null, event: Event): SessionState {
  if (event.type === 'session.created') return created(event)
  if (!state) throw new Error(`The log begins with ${event.type} instead of session.created`)
  return { ...apply(state, event), head: event.seq, lastAt: event.at }
}

export function foldCommit(state: SessionState | null, commit: Commit): SessionState {
  let next = state
  for (const event of commit.events) next = reduce(next, event)
  if (!next) throw new Error('A commit holds no event')
  if (state === null) next.creationFingerprint = commit.command?.fingerprint ?? null
  return next
}

function apply(state: SessionState, event: Exclude<Event, { type: 'session.created' }>): SessionState {
  switch (event.type) {
    case 'session.updated':
      return updated(state, event)
    case 'tokens.revoked':
      return { ...state, tokenEpoch: event.seq }
    case 'turn.queued':
      return queued(state, event)
    case 'turn.amended':
      return amended(state, event)
    case 'turn.steered':
      return steered(state, event)
    case 'turn.started':
      return started(state, event)
    case 'turn.waiting':
      return waiting(state, event)
    case 'turn.resumed':
      return resumed(state, event)
    case 'message.completed':
      return messageCompleted(state, event)
    case 'tool.started':
      return withCall(state, event.toolCallId, (call) => ({ ...call, status: 'started', idempotent: event.idempotent }))
    case 'approval.requested':
      return asked(state, event)
    case 'approval.resolved':
      return withCall(state, event.approval.toolCallId, (call) => ({ ...call, status: 'open' }))
    case 'note.written':
      return noted(state, event)
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.cancelled':
    case 'turn.interrupted':
      return ended(state, event)
  }
}

function created(event: EventOf<'session.created'>): SessionState {
  return {
    sessionId: event.sessionId,
    head: event.seq,
    lastAt: event.at,
    createdAt: event.at,
    title: event.title ?? null,
    agent: event.agent,
    model: event.model ?? null,
    tags: event.tags ?? [],
    archived: event.archived ?? false,
    settings: event.settings ?? {},
    metadataSeq: event.metadata === undefined ? null : event.seq,
    instructionsSeq: event.instructions === undefined ? null : event.seq,
    parent: event.parent ?? null,
    creationFingerprint: null,
    tokenEpoch: 0,
    active: null,
    queue: [],
    context: { window: event.window, spans: [], omittedMessages: 0 },
    usage: { turns: 0, ...noTurnUsage },
    lastMessageSeq: null,
    boundarySeq: event.seq,
    notes: [],
  }
}

function updated(state: SessionState, { seq, patch, window }: EventOf<'session.updated'>): SessionState {
  return {
    ...state,
    title: patch.title === undefined ? state.title : patch.title,
    agent: patch.agent ?? state.agent,
    model: patch.model === undefined ? state.model : patch.model,
    tags: patch.tags ?? state.tags,
    archived: patch.archived ?? state.archived,
    settings: patch.settings ?? state.settings,
    metadataSeq: patch.metadata === undefined ? state.metadataSeq : seq,
    instructionsSeq: patch.instructions === undefined ? state.instructionsSeq : seq,
    context: window === undefined ? state.context : resizeWindow(state.context, window),
  }
}

function queued(state: SessionState, event: EventOf<'turn.queued'>): SessionState {
  const turn = {
    turnId: event.turnId,
    queuedSeq: event.seq,
    queuedAt: event.at,
    by: event.by ?? bySession,
    source: event.source,
    inputSeqs: [event.seq],
    tokens: estimateTokens(event.input),
    bytes: jsonBytes(event.input),
    parts: event.input.length,
  }
  // An interrupting turn runs ahead of the queue.
  const queue = event.whenBusy === 'interrupt' ? [turn, ...state.queue] : [...state.queue, turn]
  return { ...state, queue }
}

function amended(state: SessionState, event: EventOf<'turn.amended'>): SessionState {
  const queue = state.queue.map((turn) =>
    turn.turnId === event.turnId
      ? {
          ...turn,
          inputSeqs: [...turn.inputSeqs, event.seq],
          tokens: turn.tokens + estimateTokens(event.parts),
          bytes: turn.bytes + jsonBytes(event.parts),
          parts: turn.parts + event.parts.length,
        }
      : turn,
  )
  return { ...state, queue }
}

function steered(state: SessionState, event: EventOf<'turn.steered'>): SessionState {
  const steer = {
    seq: event.seq,
    by: event.by ?? bySession,
    source: event.source,
    tokens: estimateTokens(event.input),
    bytes: jsonBytes(event.input),
  }
  return withActive(state, (active) => ({ ...active, steers: [...active.steers, steer] }))
}

function started(state: SessionState, event: EventOf<'turn.started'>): SessionState {
  const turn = state.queue.find((item) => item.turnId === event.turnId)
  if (!turn) throw new Error(`turn.started at ${event.seq} names no queued turn`)
  const active: ActiveTurn = {
    ...turn,
    status: 'running',
    agent: event.agent,
    startedSeq: event.seq,
    startedAt: event.at,
    generation: event.seq,
    attempt: event.attempt,
    fruitlessAttempts: 0,
    steps: 0,
    steers: [],
    usage: noTokenUsage,
    recovery: event.recovery ?? 'resume',
    costBeforeWait: null,
    agentVersion: null,
    calls: [],
  }
  return {
    ...state,
    active,
    queue: state.queue.filter((item) => item !== turn),
    context: openSpan(state.context, event.window, event.seq, turn.tokens),
    usage: { ...state.usage, turns: state.usage.turns + 1 },
    lastMessageSeq: event.seq,
  }
}

function waiting(state: SessionState, { usage: { activeMs, storage } }: EventOf<'turn.waiting'>): SessionState {
  return withActive(state, (active) => ({ ...active, status: 'waiting', costBeforeWait: { activeMs, storage } }))
}

function resumed(state: SessionState, event: EventOf<'turn.resumed'>): SessionState {
  return withActive(state, (active) => ({
    ...active,
    status: 'running',
    generation: event.seq,
    attempt: event.attempt,
    fruitlessAttempts: active.fruitlessAttempts + (event.reason === 'approval' ? 0 : 1),
  }))
}

function asked(state: SessionState, { seq, approval, idempotent }: EventOf<'approval.requested'>): SessionState {
  const { id, toolCallId, expiresAt } = approval
  return withCall(state, toolCallId, (call) => {
    return { ...call, status: 'asked', idempotent, approval: { id, requestedSeq: seq, expiresAt } }
  })
}

function messageCompleted(state: SessionState, event: EventOf<'message.completed'>): SessionState {
  const { message, steeredSeq, window } = event
  const usage = message.usage ?? noTokenUsage
  const next = withActive(state, (active) => ({
    ...active,
    steps: active.steps + (message.role === 'assistant' ? 1 : 0),
    fruitlessAttempts: message.role === 'user' ? active.fruitlessAttempts : 0,
    agentVersion: active.agentVersion ?? message.agentVersion ?? null,
    calls: callsAfter(active.calls, event),
    steers: steeredSeq === undefined ? active.steers : active.steers.filter((steer) => steer.seq !== steeredSeq),
    usage: addTokens(active.usage, usage),
  }))
  return {
    ...next,
    context: growSpan(window === undefined ? next.context : resizeWindow(next.context, window), estimateTokens(message.parts)),
    usage: { ...next.usage, ...addTokens(next.usage, usage) },
    lastMessageSeq: event.seq,
  }
}

/** A message of the assistant opens its calls, results close them. */
function callsAfter(calls: OpenCall[], { seq, message }: EventOf<'message.completed'>): OpenCall[] {
  const closed = new Set(message.parts.flatMap((part) => (part.type === 'tool-result' ? [part.toolCallId] : [])))
  const left = calls.filter((call) => !closed.has(call.toolCallId))
  const opened = message.parts.flatMap((part): OpenCall[] => {
    if (part.type !== 'tool-call') return []
    const { toolCallId, toolName } = part
    return [{ toolCallId, toolName, callSeq: seq, status: 'open', idempotent: false, approval: null }]
  })
  return [...left, ...opened]
}

function noted(state: SessionState, { seq, key, text }: EventOf<'note.written'>): SessionState {
  const others = state.notes.filter((note) => note.key !== key)
  return { ...state, notes: text === null ? others : [...others, { key, seq }] }
}

function ended(state: SessionState, event: TerminalEvent): SessionState {
  if (state.active?.turnId === event.turnId) {
    return { ...state, active: null, boundarySeq: event.seq, usage: addCost(state.usage, event.usage) }
  }
  return { ...state, queue: state.queue.filter((turn) => turn.turnId !== event.turnId) }
}

function withActive(state: SessionState, change: (active: ActiveTurn) => ActiveTurn): SessionState {
  return state.active ? { ...state, active: change(state.active) } : state
}

function withCall(state: SessionState, toolCallId: string, change: (call: OpenCall) => OpenCall): SessionState {
  return withActive(state, (active) => ({
    ...active,
    calls: active.calls.map((call) => (call.toolCallId === toolCallId ? change(call) : call)),
  }))
}

/** Time and rows of a turn that ended; its tokens were counted with its messages. */
function addCost(total: SessionUsage, { activeMs, storage }: TurnUsage): SessionUsage {
  return {
    ...total,
    activeMs: total.activeMs + activeMs,
    storage: { rowsRead: total.storage.rowsRead + storage.rowsRead, rowsWritten: total.storage.rowsWritten + storage.rowsWritten },
  }
}

export function addTokens(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  }
}
