/**
 * The one way a turn ends. The commit that ends it also keeps what had been said (rule TRN3), queues the steered inputs
 * that no step took up (rule TRN9), and starts the next turn in line, so that nothing accepted waits for a nudge.
 */
import { bySession, type By } from '../protocol/by.ts'
import type { ErrorBody } from '../protocol/errors.ts'
import { messageIdAt, turnIdAt, entropyOf } from '../protocol/ids.ts'
import type { InputPart } from '../protocol/message.ts'
import { noTurnUsage } from '../protocol/turn.ts'
import { withdrawApprovals } from './approvals.ts'
import type { TurnReport } from './command.ts'
import type { Draft } from './draft.ts'
import type { ActiveTurn, QueuedTurn } from './state.ts'

export type Ending =
  | { type: 'turn.completed'; finishReason: string }
  | { type: 'turn.failed'; error: ErrorBody }
  | { type: 'turn.cancelled'; by: By }
  | { type: 'turn.interrupted'; reason: string }

/** Answers the seq of the terminal event. */
export function endActiveTurn(draft: Draft, ending: Ending, report: TurnReport): number {
  const active = draft.state?.active
  if (!active) throw new Error('No turn is active')
  keepWhatWasSaid(draft, active, finishReasonOfCutMessage(ending), report)
  const left = draft.state?.active ?? active
  withdrawApprovals(draft, left, ending.type === 'turn.cancelled' ? ending.by : bySession, report)
  const seq = draft.emit({ ...ending, ...endOf(left, report) })
  queueSteers(draft, left, report)
  return seq
}

/** Of a message that the turn's end cuts short. */
function finishReasonOfCutMessage(ending: Ending): string {
  switch (ending.type) {
    case 'turn.completed':
      return ending.finishReason
    case 'turn.failed':
      return 'error'
    case 'turn.cancelled':
      return 'cancelled'
    case 'turn.interrupted':
      return 'interrupted'
  }
}

/** Takes the first in line, if no turn is active. */
export function startNextTurn(draft: Draft, { window, recovery }: TurnReport): void {
  const state = draft.state
  const next = state?.queue[0]
  if (!state || state.active || !next) return
  draft.emit({
    type: 'turn.started',
    turnId: next.turnId,
    attempt: 1,
    messageId: messageIdAt(draft.nextSeq, 0, next.turnId),
    inputSeqs: next.inputSeqs,
    agent: state.agent,
    window,
    recovery,
  })
}

/** The id of the message that the active turn's current step is making. */
export function currentMessageId(active: ActiveTurn): string {
  return messageIdAt(active.generation, active.steps + 1, active.turnId)
}

function keepWhatWasSaid(draft: Draft, active: ActiveTurn, finishReason: string, report: TurnReport): void {
  const { said } = report
  if (!said || said.parts.length === 0) return
  consumeSteers(draft, active, said.contextSeq, report)
  draft.emit({
    type: 'message.completed',
    turnId: active.turnId,
    contextSeq: said.contextSeq,
    message: {
      id: currentMessageId(active),
      seq: draft.nextSeq,
      turnId: active.turnId,
      role: 'assistant',
      parts: said.parts,
      createdAt: draft.now,
      finishReason,
    },
  })
}

/** A steered input stands before the words of the step that consumed it: the first whose context held it (rule TRN8). */
export function consumeSteers(draft: Draft, active: ActiveTurn, contextSeq: number, report: TurnReport): void {
  for (const steer of active.steers) {
    if (steer.seq > contextSeq) continue
    draft.emit({
      type: 'message.completed',
      turnId: active.turnId,
      by: steer.by,
      contextSeq,
      steeredSeq: steer.seq,
      message: {
        id: messageIdAt(steer.seq, 0, active.turnId),
        seq: draft.nextSeq,
        turnId: active.turnId,
        role: 'user',
        parts: steeredInput(report, steer.seq),
        createdAt: draft.now,
      },
    })
  }
}

/** An accepted input must not become an empty one because somebody forgot its words. */
function steeredInput(report: TurnReport, seq: number): InputPart[] {
  const input = report.steeredInputs.get(seq)
  if (!input) throw new Error(`The words steered at ${seq} are missing from the report`)
  return input
}

function queueSteers(draft: Draft, active: ActiveTurn, report: TurnReport): void {
  for (const steer of active.steers) {
    draft.emit({
      type: 'turn.queued',
      turnId: turnIdAt(draft.nextSeq, entropyOf(active.turnId)),
      by: steer.by,
      input: steeredInput(report, steer.seq),
      whenBusy: 'steer',
      source: steer.source,
      steeredSeq: steer.seq,
    })
  }
}

function endOf(active: ActiveTurn, report: TurnReport) {
  const { turnId, queuedSeq, inputSeqs, startedAt, attempt } = active
  return { turnId, queuedSeq, inputSeqs, startedAt, attempt, usage: { ...active.usage, ...report.cost } }
}

/** The end of a turn that was withdrawn before it started. */
export function endedBefore({ turnId, queuedSeq, inputSeqs }: QueuedTurn) {
  return { turnId, queuedSeq, inputSeqs, startedAt: null, attempt: 0, usage: noTurnUsage }
}
