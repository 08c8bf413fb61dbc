/** Approvals, read from the log: an id leads to the seq at which it was requested, the rest of its turn tells how it ended. */
import type { SessionState } from '../core/state.ts'
import type { Approval, ApprovalStatus } from '../protocol/approval.ts'
import type { Page } from '../protocol/body.ts'
import { isTerminal, type Event } from '../protocol/event.ts'
import { requestedSeqOf } from '../protocol/ids.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { commitsAfter, eventAt, readBackwards } from './read-log.ts'

/** Those that wait for an answer, oldest first. */
export function pendingApprovals(store: SessionStore, state: SessionState): Approval[] {
  return (state.active?.calls ?? []).flatMap(({ status, approval }) => {
    const event = status === 'asked' && approval ? eventAt(store, approval.requestedSeq) : null
    return event?.type === 'approval.requested' ? [event.approval] : []
  })
}

/** As a session's representation has it: a large input is cut, for it goes to everybody who attaches. */
export function previewApproval(approval: Approval): Approval {
  const json = JSON.stringify(approval.input ?? null)
  if (json.length <= limits.approvalInputCharacters) return approval
  return { ...approval, input: `${json.slice(0, limits.approvalInputCharacters).toWellFormed()}…` }
}

/** Null: the session has no such approval. */
export function readApproval(store: SessionStore, approvalId: string): Approval | null {
  const requested = eventAt(store, requestedSeqOf(approvalId))
  if (requested?.type !== 'approval.requested' || requested.approval.id !== approvalId) return null
  for (const { events } of commitsAfter(store, requested.seq)) {
    for (const event of events) {
      if (resolutionOf(event)?.id === approvalId) return resolutionOf(event)
      if (isTerminal(event) && event.turnId === requested.turnId) return requested.approval
    }
  }
  return requested.approval
}

/** Newest first, by the seq they were requested at; `before` is that seq, exclusive. */
export function readApprovals(
  store: SessionStore,
  state: SessionState,
  { before, limit, status }: { before: number | null; limit: number; status: ApprovalStatus | null },
): Page<Approval> {
  const ends = new Map<string, Approval>()
  const items: Approval[] = []
  let bytes = 0
  const next = readBackwards(store, before ?? state.head + 1, (event) => {
    const end = resolutionOf(event)
    if (end) ends.set(end.id, end)
    if (event.type !== 'approval.requested') return true
    const approval = ends.get(event.approval.id) ?? (before === null ? event.approval : readApproval(store, event.approval.id))
    if (!approval || (status !== null && approval.status !== status)) return true
    items.push(approval)
    bytes += jsonBytes(approval)
    return items.length < limit && bytes < limits.pageBytes
  })
  return { items, next }
}

function resolutionOf(event: Event): Approval | null {
  return event.type === 'approval.resolved' ? event.approval : null
}
