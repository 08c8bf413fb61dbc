/**
 * `decide` answers a command with the events that accepting it means, or with a refusal. It is pure: the same state,
 * command and time give the same answer. Refusals are values and store nothing.
 */
import { refusal, type Refusal } from '../protocol/errors.ts'
import type { Event } from '../protocol/event.ts'
import type { Command, FinishStepCommand, TurnReport } from './command.ts'
import type { Receipt } from '../protocol/commit.ts'
import { Draft } from './draft.ts'
import { consumeSteers, currentMessageId, endActiveTurn, endedBefore, startNextTurn } from './end-turn.ts'
import type { ActiveTurn, SessionState } from './state.ts'
import { submitTurn } from './submit-turn.ts'

/** Recoveries of one turn without a durable step between them, before it ends as interrupted (rule TRN4). */
export const maxFruitlessAttempts = 3

/** `state` is what the events make of the state; no events: the command is already fulfilled. */
export type Decision = { ok: true; events: Event[]; state: SessionState | null; receipt: Receipt } | { ok: false; error: Refusal }

export function decide(state: SessionState | null, command: Command, now: number): Decision {
  const draft = new Draft(state, now)
  const answer = state ? decideExisting(draft, state, command) : decideNew(draft, command)
  if ('code' in answer) return { ok: false, error: answer }
  return { ok: true, events: draft.events, state: draft.state, receipt: answer }
}

function decideNew(draft: Draft, command: Command): Receipt | Refusal {
  if (command.type !== 'createSession') return refusal('not_found', 'There is no such session.')
  const { by, sessionId, profile, window } = command
  return { seq: draft.emit({ type: 'session.created', by, sessionId, ...profile, window }) }
}

function decideExisting(draft: Draft, state: SessionState, command: Command): Receipt | Refusal {
  switch (command.type) {
    case 'createSession':
      return refusal('idempotency_conflict', 'This idempotency key made a session with another body.')
    case 'updateSession':
      return updateSession(draft, state, command)
    case 'revokeTokens':
      return { seq: draft.emit({ type: 'tokens.revoked', by: command.by }) }
    case 'submitTurn':
      return submitTurn(draft, state, command)
    case 'cancelTurn':
      return cancelTurn(draft, state, command)
    case 'finishStep':
      return speaking(state, command.generation, (active) => finishStep(draft, active, command))
    case 'failTurn':
      return speaking(state, command.generation, () => {
        const seq = endActiveTurn(draft, { type: 'turn.failed', error: command.error }, command.report)
        return promoted(draft, command.report, seq)
      })
    case 'recoverTurn':
      return recoverTurn(draft, state, command)
  }
}

function updateSession(draft: Draft, state: SessionState, command: Extract<Command, { type: 'updateSession' }>): Receipt {
  const { by, patch, window } = command
  if (Object.keys(patch).length === 0) return { seq: state.head }
  return { seq: draft.emit({ type: 'session.updated', by, patch, ...(window !== null && { window }) }) }
}

function cancelTurn(draft: Draft, state: SessionState, command: Extract<Command, { type: 'cancelTurn' }>): Receipt | Refusal {
  const { turnId, by, report } = command
  if (state.active?.turnId === turnId) {
    const seq = endActiveTurn(draft, { type: 'turn.cancelled', by }, report)
    return { ...promoted(draft, report, seq), turnId }
  }
  const turn = state.queue.find((item) => item.turnId === turnId)
  if (turn) {
    return { seq: draft.emit({ type: 'turn.cancelled', by, ...endedBefore(turn) }), turnId }
  }
  if (command.past === 'cancelled') return { seq: state.head, turnId }
  if (command.past === null) return refusal('not_found', 'There is no such turn in this session.')
  return refusal('turn_finished', `The turn has already ended: ${command.past}.`)
}

/** Fencing (rule TRN5): only the generation that was let to speak is heard. */
function speaking(state: SessionState, generation: number, say: (active: ActiveTurn) => Receipt | Refusal): Receipt | Refusal {
  const active = state.active
  if (active?.status === 'running' && active.generation === generation) return say(active)
  return refusal('turn_finished', `Generation ${generation} no longer speaks for this session.`)
}

function finishStep(draft: Draft, active: ActiveTurn, command: FinishStepCommand): Receipt {
  consumeSteers(draft, active, command.contextSeq, command.report)
  const seq = draft.emit({
    type: 'message.completed',
    turnId: active.turnId,
    contextSeq: command.contextSeq,
    message: {
      id: currentMessageId(active),
      seq: draft.nextSeq,
      turnId: active.turnId,
      role: 'assistant',
      parts: command.parts,
      createdAt: draft.now,
      ...(command.model !== null && { model: command.model }),
      usage: command.usage,
      finishReason: command.finishReason,
    },
  })
  // A steered input that arrived during the step gets one step more (rule TRN9).
  if (!command.final || (draft.state?.active?.steers.length ?? 0) > 0) return { seq, turnId: active.turnId }
  const endSeq = endActiveTurn(draft, { type: 'turn.completed', finishReason: command.finishReason }, command.report)
  return promoted(draft, command.report, endSeq)
}

function recoverTurn(draft: Draft, state: SessionState, command: Extract<Command, { type: 'recoverTurn' }>): Receipt | Refusal {
  const active = state.active
  if (active?.status !== 'running') return refusal('turn_finished', 'No turn is running.')
  const exhausted = active.fruitlessAttempts >= maxFruitlessAttempts
  if (command.recovery === 'resume' && !exhausted) {
    const { turnId } = active
    const seq = draft.emit({
      type: 'turn.resumed',
      turnId,
      attempt: active.attempt + 1,
      reason: 'recovery',
      supersedes: currentMessageId(active),
    })
    return { seq, turnId }
  }
  const reason = exhausted
    ? 'The server stopped again and again before the agent got any further.'
    : 'The server stopped while the agent was answering.'
  return promoted(draft, command.report, endActiveTurn(draft, { type: 'turn.interrupted', reason }, command.report))
}

/** The receipt of a command that ended a turn, once the next one in line was started. */
function promoted(draft: Draft, report: TurnReport, seq: number): Receipt {
  startNextTurn(draft, report.window)
  return { seq }
}
