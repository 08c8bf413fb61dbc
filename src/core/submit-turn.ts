/** Admission of a turn: what `whenBusy` means while another runs, and what a full queue refuses. */
import { refusal, type Refusal } from '../protocol/errors.ts'
import { turnIdAt } from '../protocol/ids.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { SubmitTurnCommand } from './command.ts'
import type { Receipt } from '../protocol/commit.ts'
import type { Draft } from './draft.ts'
import { endActiveTurn, startNextTurn } from './end-turn.ts'
import type { QueuedTurn, SessionState } from './state.ts'

export function submitTurn(draft: Draft, state: SessionState, command: SubmitTurnCommand): Receipt | Refusal {
  const bytes = jsonBytes(command.input)
  if (bytes > limits.inputBytes) return tooLarge(bytes)
  if (!state.active) return enqueue(draft, state, command)
  switch (command.whenBusy) {
    case 'enqueue':
      return enqueue(draft, state, command)
    case 'reject':
      return refusal('busy', 'A turn is running. Try again when it has ended, or choose another whenBusy.')
    case 'interrupt':
      endActiveTurn(draft, { type: 'turn.cancelled', by: command.by }, command.report)
      return admit(draft, command)
    case 'steer':
      return steer(draft, state, state.active.turnId, command)
    case 'collect':
      return collect(draft, state, command, bytes)
  }
}

function enqueue(draft: Draft, state: SessionState, command: SubmitTurnCommand): Receipt | Refusal {
  return isFull(state) ? queueFull() : admit(draft, command)
}

function admit(draft: Draft, command: SubmitTurnCommand): Receipt {
  const { by, input, whenBusy, source } = command
  const turnId = turnIdAt(draft.nextSeq, command.entropy)
  const seq = draft.emit({ type: 'turn.queued', turnId, by, input, whenBusy, source })
  startNextTurn(draft, command.report)
  return { seq, turnId }
}

function steer(draft: Draft, state: SessionState, turnId: string, command: SubmitTurnCommand): Receipt | Refusal {
  if (isFull(state)) return queueFull()
  const { by, input, source } = command
  return { seq: draft.emit({ type: 'turn.steered', turnId, by, input, source }), turnId }
}

function collect(draft: Draft, state: SessionState, command: SubmitTurnCommand, bytes: number): Receipt | Refusal {
  const turn = state.queue.findLast((item) => isSame(item, command))
  if (!turn) return enqueue(draft, state, command)
  if (turn.bytes + bytes > limits.inputBytes) return tooLarge(turn.bytes + bytes)
  if (turn.parts + command.input.length > limits.inputParts) {
    return refusal('limit_exceeded', `A turn's input has ${limits.inputParts} parts at most.`)
  }
  if (turn.inputSeqs.length >= limits.amendments) {
    return refusal('limit_exceeded', `A queued turn can be added to ${limits.amendments - 1} times at most.`)
  }
  const seq = draft.emit({ type: 'turn.amended', turnId: turn.turnId, by: command.by, parts: command.input })
  return { seq, turnId: turn.turnId }
}

function isSame(turn: QueuedTurn, command: SubmitTurnCommand): boolean {
  return turn.by.kind === command.by.kind && turn.by.id === command.by.id
}

/** Steered inputs count: each may yet become a queued turn (rule TRN9). */
function isFull(state: SessionState): boolean {
  return state.queue.length + (state.active?.steers.length ?? 0) >= limits.queuedTurns
}

function queueFull(): Refusal {
  return refusal('queue_full', `${limits.queuedTurns} turns are waiting already.`, { retryAfterSeconds: 1 })
}

function tooLarge(bytes: number): Refusal {
  return refusal('payload_too_large', `The input is ${bytes} bytes of JSON; ${limits.inputBytes} is the most a turn may have.`)
}
