/**
 * Turns as clients see them, read from the state and the log. An id leads to the seq it was queued at; the terminal event
 * holds the rest, and is found within the 32 commits before the first snapshot that no longer knows the turn.
 */
import type { ActiveTurn, QueuedTurn, SessionState } from '../core/state.ts'
import type { Page } from '../protocol/body.ts'
import { isTerminal, type Event, type EventOf, type TerminalEvent } from '../protocol/event.ts'
import { queuedSeqOf } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { InputPart, Part } from '../protocol/message.ts'
import { noTurnUsage, type Turn, type TurnStatus } from '../protocol/turn.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { commitsAfter, eventAt, readBackwards } from './read-log.ts'

/** Null: the session has no such turn. */
export function readTurn(store: SessionStore, state: SessionState, turnId: string): Turn | null {
  const live = liveTurn(store, state, turnId)
  if (live) return live
  const queued = queuedEvent(store, turnId)
  const end = queued && findEnd(store, queued)
  return end ? endedTurn(store, queued, end) : null
}

export function turnStatus(store: SessionStore, state: SessionState, turnId: string): TurnStatus | null {
  return readTurn(store, state, turnId)?.status ?? null
}

/** The active turn, or a queued one with its place in line. */
function liveTurn(store: SessionStore, state: SessionState, turnId: string): Turn | null {
  if (state.active?.turnId === turnId) return activeTurn(store, state.active)
  const index = state.queue.findIndex((turn) => turn.turnId === turnId)
  const turn = state.queue[index]
  return turn ? queuedTurn(store, turn, index + 1) : null
}

export function activeTurn(store: SessionStore, active: ActiveTurn): Turn {
  return {
    ...queuedTurn(store, active, 0),
    status: active.status,
    startedAt: active.startedAt,
    attempt: active.attempt,
    usage: { ...noTurnUsage, ...active.costBeforeWait, ...active.usage },
  }
}

export function queuedTurn(store: SessionStore, turn: QueuedTurn, position: number): Turn {
  return {
    id: turn.turnId,
    status: 'queued',
    position,
    input: readInput(store, turn.inputSeqs),
    by: turn.by,
    source: turn.source,
    queuedAt: turn.queuedAt,
    startedAt: null,
    finishedAt: null,
    attempt: 0,
    finishReason: null,
    error: null,
    usage: noTurnUsage,
  }
}

/** A queued turn in a session's representation: texts cut, and no file's content. */
export function previewInput(input: Part[]): Part[] {
  let left: number = limits.queueInputCharacters
  return input.map((part) => {
    if (part.type === 'file' && part.data !== undefined) return { ...part, data: '' }
    if (part.type !== 'text') return part
    const text = part.text.slice(0, left).toWellFormed()
    left -= text.length
    return { ...part, text }
  })
}

export function readInput(store: SessionStore, inputSeqs: readonly number[]): InputPart[] {
  return inputSeqs.flatMap((seq) => inputOf(eventAt(store, seq)))
}

export function inputOf(event: Event | null): InputPart[] {
  if (event?.type === 'turn.queued' || event?.type === 'turn.steered') return event.input
  return event?.type === 'turn.amended' ? event.parts : []
}

/** Newest first, by the seq they were queued at; `before` is that seq, exclusive. */
export function readTurns(
  store: SessionStore,
  state: SessionState,
  { before, limit, status }: { before: number | null; limit: number; status: TurnStatus | null },
): Page<Turn> {
  const ends = new Map<string, TerminalEvent>()
  const items: Turn[] = []
  const next = readBackwards(store, before ?? state.head + 1, (event) => {
    if (isTerminal(event)) ends.set(event.turnId, event)
    if (event.type !== 'turn.queued') return true
    const turn = turnOf(store, state, event, ends.get(event.turnId))
    if (turn && (status === null || turn.status === status)) items.push(turn)
    return items.length < limit
  })
  return { items, next }
}

function turnOf(store: SessionStore, state: SessionState, queued: EventOf<'turn.queued'>, end?: TerminalEvent): Turn | null {
  return end ? endedTurn(store, queued, end) : readTurn(store, state, queued.turnId)
}

function queuedEvent(store: SessionStore, turnId: string): EventOf<'turn.queued'> | null {
  const event = eventAt(store, queuedSeqOf(turnId))
  return event?.type === 'turn.queued' && event.turnId === turnId ? event : null
}

function findEnd(store: SessionStore, { turnId, seq }: EventOf<'turn.queued'>): TerminalEvent | null {
  for (const commit of commitsAfter(store, lastSnapshotKnowing(store, turnId, seq))) {
    const end = commit.events.find((event) => isTerminal(event) && event.turnId === turnId)
    if (end && isTerminal(end)) return end
  }
  return null
}

/** The turn ends after this seq, and before the next snapshot. */
function lastSnapshotKnowing(store: SessionStore, turnId: string, queuedSeq: number): number {
  let known = queuedSeq - 1
  for (;;) {
    const snapshot = store.snapshots.atOrAfter(known + 1)
    const isLive = snapshot && (snapshot.state.active?.turnId === turnId || snapshot.state.queue.some((turn) => turn.turnId === turnId))
    if (!isLive) return known
    known = snapshot.seq
  }
}

function endedTurn(store: SessionStore, queued: EventOf<'turn.queued'>, end: TerminalEvent): Turn {
  return {
    id: queued.turnId,
    status: statusOf(end),
    position: 0,
    input: end.inputSeqs.flatMap((seq) => (seq === queued.seq ? queued.input : inputOf(eventAt(store, seq)))),
    by: queued.by ?? { kind: 'system', id: 'session' },
    source: queued.source,
    queuedAt: queued.at,
    startedAt: end.startedAt,
    finishedAt: end.at,
    attempt: end.attempt,
    finishReason: end.type === 'turn.completed' ? end.finishReason : null,
    error: end.type === 'turn.failed' ? end.error : null,
    usage: end.usage,
  }
}

function statusOf(end: TerminalEvent): TurnStatus {
  switch (end.type) {
    case 'turn.completed':
      return 'completed'
    case 'turn.failed':
      return 'failed'
    case 'turn.cancelled':
      return 'cancelled'
    case 'turn.interrupted':
      return 'interrupted'
  }
}
