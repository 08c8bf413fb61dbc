/**
 * Tool calls of the active turn, from the step that made them to their results. A call is started, and may have its effect,
 * only behind a durable `tool.started`; whatever ends a call is a `message.completed` of role tool, one for each.
 */
import { approvalIdAt, outputRefAt, toolMessageIdAt } from '../protocol/ids.ts'
import type { Part, ToolCallPart, ToolResultPart } from '../protocol/message.ts'
import type { CallVerdict, FinishToolCommand, TurnReport } from './command.ts'
import type { Draft } from './draft.ts'
import { notesProblem } from './notes.ts'
import type { ActiveTurn, OpenCall } from './state.ts'

export function toolCallsOf(parts: readonly Part[]): ToolCallPart[] {
  return parts.filter((part) => part.type === 'tool-call')
}

/** Right behind the message that made the calls, in its commit. */
export function openCalls(draft: Draft, active: ActiveTurn, calls: readonly ToolCallPart[], verdicts: readonly CallVerdict[]): void {
  for (const [index, call] of calls.entries()) {
    const verdict = verdicts[index]
    if (!verdict) throw new Error('A tool call came without a verdict')
    openCall(draft, active, call, verdict)
  }
}

function openCall(draft: Draft, { turnId }: ActiveTurn, call: ToolCallPart, verdict: CallVerdict): void {
  const { toolCallId, toolName, input } = call
  switch (verdict.type) {
    case 'run':
      draft.emit({ type: 'tool.started', turnId, toolCallId, toolName, idempotent: verdict.idempotent })
      return
    case 'refuse':
      addResult(draft, turnId, { toolCallId, toolName, output: verdict.message, isError: true })
      return
    case 'ask': {
      const { idempotent, inputHash, expiresInMs } = verdict
      const id = approvalIdAt(draft.nextSeq, turnId)
      const times = { requestedAt: draft.now, expiresAt: draft.now + expiresInMs }
      const open = { status: 'pending', resolvedBy: null, resolvedAt: null, reason: null } as const
      const approval = { id, turnId, toolCallId, toolName, input, inputHash, ...times, ...open }
      draft.emit({ type: 'approval.requested', turnId, approval, idempotent })
    }
  }
}

/** Answers the seq of the result. */
export function finishTool(draft: Draft, active: ActiveTurn, call: OpenCall, { outcome }: FinishToolCommand): number {
  const { turnId } = active
  const { toolCallId, toolName } = call
  const problem = notesProblem(draft.state?.notes ?? [], outcome.notes)
  if (problem !== null) return addResult(draft, turnId, { toolCallId, toolName, output: problem, isError: true })
  for (const { key, text } of outcome.notes) draft.emit({ type: 'note.written', turnId, key, text })
  const { output, isError, bytes } = outcome
  const whole = bytes === undefined ? {} : { outputRef: outputRefAt(draft.nextSeq, turnId), bytes }
  return addResult(draft, turnId, { toolCallId, toolName, output, isError, ...whole })
}

export function addResult(draft: Draft, turnId: string, result: Omit<ToolResultPart, 'type'>): number {
  const seq = draft.nextSeq
  return draft.emit({
    type: 'message.completed',
    turnId,
    contextSeq: seq - 1,
    message: {
      id: toolMessageIdAt(seq, turnId),
      seq,
      turnId,
      role: 'tool',
      parts: [{ type: 'tool-result', ...result }],
      createdAt: draft.now,
    },
  })
}

/**
 * Calls that had started when the object died. One that may run twice is started again; of another nobody knows whether it
 * had its effect, and the model is told so.
 */
export function recoverCalls(draft: Draft, { turnId, calls }: ActiveTurn): void {
  for (const { toolCallId, toolName, idempotent, status } of calls) {
    if (status !== 'started') continue
    if (idempotent) draft.emit({ type: 'tool.started', turnId, toolCallId, toolName, idempotent })
    else addResult(draft, turnId, { toolCallId, toolName, output: unknownOutcome, isError: true })
  }
}

const unknownOutcome =
  'The outcome is unknown: the server stopped while the tool was running. It may or may not have had its effect; find out before you try again.'

/** A turn in which every call that is left waits for a person waits itself. */
export function waitIfAllAsked(draft: Draft, report: TurnReport): void {
  const active = draft.state?.active
  if (active?.status !== 'running' || active.calls.length === 0 || active.calls.some(({ status }) => status !== 'asked')) return
  const approvalIds = active.calls.flatMap(({ approval }) => (approval ? [approval.id] : []))
  draft.emit({ type: 'turn.waiting', turnId: active.turnId, approvalIds, usage: { ...active.usage, ...report.cost } })
}
