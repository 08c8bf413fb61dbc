/**
 * `decide` answers a command with the events that accepting it means, or with a refusal. It is pure: the same state,
 * command and time give the same answer. Refusals are values and store nothing.
 */
import { refusal, type Refusal } from '../protocol/errors.ts'
import type { Event } from '../protocol/event.ts'
import type { Command, FinishStepCommand } from './command.ts'
import type { Receipt } from '../protocol/commit.ts'
import { Draft } from './draft.ts'
import { currentMessageId, endActiveTurn, endedBefore, startNextTurn } from './end-turn.ts'
import { messageIdAt } from '../protocol/ids.ts'
import type { ActiveTurn, SessionState } from './state.ts'
import { submitTurn } from './submit-turn.ts'

/** Recoveries of one turn without a durable step between them, before it ends as interrupted (rule TRN4). */
export const maxFruitlessAttempts = 3

/** No events: the command is already fulfilled. */
export type Decision = { ok: true; events: Event[]; receipt: Receipt } | { ok: false; error: Refusal }

export function decide(state: SessionState | null, command: Command, now: number): Decision {
  const draft = new Draft(state, now)
  const answer = state ? decideExisting(draft, state, command) : decideNew(draft, command)
  if ('code' in answer) return { ok: false, error: answer }
  return { ok: true, events: draft.events, receipt: answer }
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
        endActiveTurn(draft, { type: 'turn.failed', error: command.error }, command.report)
        return promote(draft, command.report.window)
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
    endActiveTurn(draft, { type: 'turn.cancelled', by }, report)
    return { ...promote(draft, report.window), turnId }
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
  consumeSteers(draft, active, command)
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
  endActiveTurn(draft, { type: 'turn.completed', finishReason: command.finishReason }, command.report)
  return promote(draft, command.report.window)
}

/** A steered input stands before the words of the step that consumed it: the first whose context held it (rule TRN8). */
function consumeSteers(draft: Draft, active: ActiveTurn, command: FinishStepCommand): void {
  for (const steer of active.steers) {
    if (steer.seq > command.contextSeq) continue
    draft.emit({
      type: 'message.completed',
      turnId: active.turnId,
      by: steer.by,
      contextSeq: command.contextSeq,
      steeredSeq: steer.seq,
      message: {
        id: messageIdAt(steer.seq, 0, active.turnId),
        seq: draft.nextSeq,
        turnId: active.turnId,
        role: 'user',
        parts: command.report.steeredInputs.get(steer.seq) ?? [],
        createdAt: draft.now,
      },
    })
  }
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
  const reason = exhausted ? 'The server stopped again and again before the agent got any further.' : 'The server stopped while the agent was answering.'
  endActiveTurn(draft, { type: 'turn.interrupted', reason }, command.report)
  return promote(draft, command.report.window)
}

function promote(draft: Draft, window: number): Receipt {
  const seq = draft.nextSeq - 1
  startNextTurn(draft, window)
  return { seq }
}
