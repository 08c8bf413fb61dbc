/**
 * Approvals end in one of four ways: a person's answer, expiry, or withdrawal with their turn. The first end wins (rule APR2),
 * and a call runs only behind an allow (rule APR5).
 */
import { statusOfDecision, type Approval } from '../protocol/approval.ts'
import { bySession } from '../protocol/by.ts'
import type { Receipt } from '../protocol/commit.ts'
import { refusal, type Refusal } from '../protocol/errors.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { AnswerApprovalCommand, Resolution, TurnReport } from './command.ts'
import type { Draft } from './draft.ts'
import type { ActiveTurn, OpenCall, SessionState } from './state.ts'
import { addResult, waitIfAllAsked } from './tool-calls.ts'

export function answerApproval(draft: Draft, state: SessionState, command: AnswerApprovalCommand): Receipt | Refusal {
  const active = state.active
  const call = active?.calls.find(({ status, approval }) => status === 'asked' && approval?.id === command.approvalId)
  if (!active || !call) return answerPast(state, command)
  if (isExpired(call, draft.now)) return refusal('approval_resolved', 'The approval has expired.')
  if (command.decision === 'allow' && command.scope === 'session') {
    const refused = allowInSession(draft, state, call.toolName, command)
    if (refused) return refused
  }
  const { by, reason, report } = command
  const seq = resolve(draft, active, call, { status: statusOfDecision[command.decision], by, reason }, report)
  waitIfAllAsked(draft, report)
  return { seq, turnId: active.turnId }
}

function answerPast(state: SessionState, { past, decision }: AnswerApprovalCommand): Receipt | Refusal {
  if (!past) return refusal('not_found', 'There is no such approval in this session.')
  if (past.status === statusOfDecision[decision]) return { seq: state.head, turnId: past.turnId }
  return refusal('approval_resolved', `The approval is already ${past.status}.`, { approval: past })
}

/** Every approval whose time is over, as if a person had said no. */
export function expireApprovals(draft: Draft, state: SessionState, report: TurnReport): Receipt {
  for (const call of state.active?.calls ?? []) {
    const active = draft.state?.active
    if (!active || call.status !== 'asked' || !isExpired(call, draft.now)) continue
    resolve(draft, active, call, { status: 'expired', by: bySession, reason: null }, report)
  }
  waitIfAllAsked(draft, report)
  return { seq: draft.state?.head ?? state.head }
}

/** The turn ends: nobody is asked any more. */
export function withdrawApprovals(draft: Draft, active: ActiveTurn, by: Resolution['by'], report: TurnReport): void {
  for (const call of active.calls) {
    if (call.status === 'asked') emitResolved(draft, active.turnId, call, { status: 'withdrawn', by, reason: null }, report)
  }
}

/** The call runs, or the model is told that it may not; a turn that waited goes on as soon as there is something to do. */
function resolve(draft: Draft, active: ActiveTurn, call: OpenCall, resolution: Resolution, report: TurnReport): number {
  const { turnId } = active
  const { toolCallId, toolName } = call
  const approval = emitResolved(draft, turnId, call, resolution, report)
  const seq = draft.state?.head ?? 0
  const isAllowed = resolution.status === 'allowed'
  const isLast = draft.state?.active?.calls.every((other) => other.toolCallId === toolCallId || other.status !== 'asked') ?? true
  if (draft.state?.active?.status === 'waiting' && (isAllowed || isLast)) {
    draft.emit({ type: 'turn.resumed', turnId, attempt: active.attempt, reason: 'approval' })
  }
  if (isAllowed) draft.emit({ type: 'tool.started', turnId, toolCallId, toolName, idempotent: call.idempotent })
  else addResult(draft, turnId, { toolCallId, toolName, output: refusalText(approval), isError: true })
  return seq
}

function emitResolved(draft: Draft, turnId: string, call: OpenCall, { status, by, reason }: Resolution, report: TurnReport): Approval {
  const asked = call.approval && report.approvals.get(call.approval.id)
  // An answer must not be recorded without what it was given to.
  if (!asked) throw new Error(`The words of the approval for ${call.toolCallId} are missing from the report`)
  const approval: Approval = { ...asked, status, resolvedBy: by, resolvedAt: draft.now, reason }
  draft.emit({ type: 'approval.resolved', turnId, by, approval })
  return approval
}

/** What the model is told of a call that may not run. */
function refusalText({ status, reason }: Approval): string {
  if (status === 'expired') return 'Not allowed: nobody answered in time.'
  return reason === null ? 'Not allowed: a person denied this call.' : `Not allowed: a person denied this call, saying: ${reason}`
}

function isExpired({ approval }: OpenCall, now: number): boolean {
  return approval !== null && approval.expiresAt <= now
}

function allowInSession(draft: Draft, { settings }: SessionState, toolName: string, { by }: AnswerApprovalCommand): Refusal | null {
  const allow = settings.allow ?? []
  if (allow.includes(toolName)) return null
  const widened = { ...settings, allow: [...allow, toolName] }
  if (jsonBytes(widened) > limits.settingsBytes) {
    return refusal('limit_exceeded', `The session's settings have no room for one more allowed tool; allow it once, or make room.`)
  }
  draft.emit({ type: 'session.updated', by, patch: { settings: widened } })
  return null
}
