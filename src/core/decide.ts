/**
 * `decide` answers a command with the events that accepting it means, or with a refusal. It is pure: the same state,
 * command and time give the same answer. Refusals are values and store nothing.
 */
import { refusal, type Refusal } from '../protocol/errors.ts'
import type { Event } from '../protocol/event.ts'
import { budgetFinishReasons } from '../protocol/policy.ts'
import { answerApproval, expireApprovals } from './approvals.ts'
import type { Command, FinishStepCommand, FinishToolCommand, TurnReport } from './command.ts'
import type { Receipt } from '../protocol/commit.ts'
import { Draft } from './draft.ts'
import { consumeSteers, currentMessageId, endActiveTurn, endedBefore, startNextTurn } from './end-turn.ts'
import type { ActiveTurn, SessionState } from './state.ts'
import { submitTurn } from './submit-turn.ts'
import { finishTool, openCalls, recoverCalls, toolCallsOf, waitIfAllAsked } from './tool-calls.ts'

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
      return stepping(state, command.generation, (active) => finishStep(draft, active, command))
    case 'finishTool':
      return speaking(state, command.generation, (active) => endCall(draft, active, command))
    case 'retryStep':
      return stepping(state, command.generation, (active) => retryStep(draft, active, command))
    case 'stopTurn':
      return speaking(state, command.generation, () => {
        const seq = endActiveTurn(draft, { type: 'turn.completed', finishReason: command.finishReason }, command.report)
        return promoted(draft, command.report, seq)
      })
    case 'failTurn':
      return speaking(state, command.generation, () => {
        const seq = endActiveTurn(draft, { type: 'turn.failed', error: command.error }, command.report)
        return promoted(draft, command.report, seq)
      })
    case 'answerApproval':
      return answerApproval(draft, state, command)
    case 'expireApprovals':
      return expireApprovals(draft, state, command.report)
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

/** No step runs while calls of the one before wait for their results. */
function stepping(state: SessionState, generation: number, say: (active: ActiveTurn) => Receipt | Refusal): Receipt | Refusal {
  return speaking(state, generation, (active) => {
    return active.calls.length === 0 ? say(active) : refusal('turn_finished', 'No step is running.')
  })
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
      ...(command.agentVersion !== null && { agentVersion: command.agentVersion }),
      usage: command.usage,
      finishReason: command.finishReason,
    },
    ...(command.window !== draft.state?.context.window && { window: command.window }),
  })
  const calls = toolCallsOf(command.parts)
  // A steered input that arrived during the step gets one step more (rule TRN9).
  const goesOn = calls.length > 0 || !command.final || (draft.state?.active?.steers.length ?? 0) > 0
  const finishReason = goesOn ? spentBudget(draft.state?.active ?? active, command) : command.finishReason
  if (finishReason !== null) {
    const endSeq = endActiveTurn(draft, { type: 'turn.completed', finishReason }, { ...command.report, said: null })
    return promoted(draft, command.report, endSeq)
  }
  openCalls(draft, active, calls, command.calls)
  waitIfAllAsked(draft, command.report)
  return { seq, turnId: active.turnId }
}

/** The finish reason of a turn that may not take another step, though it would; null: it may. */
function spentBudget({ steps, usage }: ActiveTurn, { budgets, report }: FinishStepCommand): string | null {
  if (steps >= (budgets.steps ?? Infinity)) return budgetFinishReasons.steps
  if (usage.inputTokens + usage.outputTokens >= (budgets.tokens ?? Infinity)) return budgetFinishReasons.tokens
  return report.cost.activeMs >= (budgets.seconds ?? Infinity) * 1000 ? budgetFinishReasons.seconds : null
}

function endCall(draft: Draft, active: ActiveTurn, command: FinishToolCommand): Receipt | Refusal {
  const call = active.calls.find(({ toolCallId, status }) => toolCallId === command.toolCallId && status === 'started')
  if (!call) return refusal('turn_finished', 'No such call is running.')
  const seq = finishTool(draft, active, call, command)
  waitIfAllAsked(draft, command.report)
  return { seq, turnId: active.turnId }
}

function retryStep(draft: Draft, active: ActiveTurn, { error, report }: Extract<Command, { type: 'retryStep' }>): Receipt {
  if (active.fruitlessAttempts >= maxFruitlessAttempts) {
    return promoted(draft, report, endActiveTurn(draft, { type: 'turn.failed', error }, report))
  }
  const { turnId } = active
  const supersedes = currentMessageId(active)
  return { seq: draft.emit({ type: 'turn.resumed', turnId, attempt: active.attempt + 1, reason: 'retry', supersedes }), turnId }
}

function recoverTurn(draft: Draft, state: SessionState, command: Extract<Command, { type: 'recoverTurn' }>): Receipt | Refusal {
  const active = state.active
  if (active?.status !== 'running') return refusal('turn_finished', 'No turn is running.')
  const exhausted = active.fruitlessAttempts >= maxFruitlessAttempts
  if (active.recovery === 'resume' && !exhausted) {
    const { turnId, calls } = active
    // With calls open the step's message is durable: nothing is superseded.
    const supersedes = calls.length === 0 ? { supersedes: currentMessageId(active) } : {}
    const seq = draft.emit({ type: 'turn.resumed', turnId, attempt: active.attempt + 1, reason: 'recovery', ...supersedes })
    recoverCalls(draft, active)
    waitIfAllAsked(draft, command.report)
    return { seq, turnId }
  }
  const reason = exhausted
    ? 'The server stopped again and again before the agent got any further.'
    : 'The server stopped while the agent was answering.'
  return promoted(draft, command.report, endActiveTurn(draft, { type: 'turn.interrupted', reason }, command.report))
}

/** The receipt of a command that ended a turn, once the next one in line was started. */
function promoted(draft: Draft, report: TurnReport, seq: number): Receipt {
  startNextTurn(draft, report)
  return { seq }
}
