/**
 * Commands: what is asked of a session. Those of people come with `by`; those of the session itself (a step is done, a
 * turn was found without its runner) carry the generation they speak for, where there is one.
 */
import type { By } from '../protocol/access.ts'
import type { ErrorBody } from '../protocol/errors.ts'
import type { Profile } from '../protocol/event.ts'
import type { InputPart, Part, TokenUsage } from '../protocol/message.ts'
import type { TurnSource, TurnStatus, TurnUsage, WhenBusy } from '../protocol/turn.ts'

export type Command =
  | { type: 'createSession'; by: By; sessionId: string; profile: Profile & { agent: string }; window: number }
  | { type: 'updateSession'; by: By; patch: Profile; window: number | null }
  | { type: 'revokeTokens'; by: By }
  | SubmitTurnCommand
  | {
      type: 'cancelTurn'
      by: By
      turnId: string
      /** What the log tells of the turn, which decides if it is no longer queued or active; null: there is no such turn. */
      past: TurnStatus | null
      report: TurnReport
    }
  | FinishStepCommand
  | { type: 'failTurn'; generation: number; error: ErrorBody; report: TurnReport }
  /** The object woke with a running turn and no runner. */
  | { type: 'recoverTurn'; recovery: 'resume' | 'interrupt'; report: TurnReport }

export interface SubmitTurnCommand {
  type: 'submitTurn'
  by: By
  source: TurnSource
  input: InputPart[]
  whenBusy: WhenBusy
  /** Random characters for the turn's id. */
  entropy: string
  report: TurnReport
}

export interface FinishStepCommand {
  type: 'finishStep'
  generation: number
  /** The head as of which the step's context was built. */
  contextSeq: number
  parts: Part[]
  model: string | null
  finishReason: string
  usage: TokenUsage
  /** False: another step follows anyway. */
  final: boolean
  report: TurnReport
}

/** What the shell knows of the active turn at this moment, for commands that may end it. State holds no words, so they come here. */
export interface TurnReport {
  /** Words that were streamed by the current step and are not durable; null: none. */
  said: { parts: Part[]; contextSeq: number } | null
  /** The words of every steered input that is not consumed, by the seq of its `turn.steered`. */
  steeredInputs: ReadonlyMap<number, InputPart[]>
  /** What the turn has cost so far, tokens aside. */
  cost: Pick<TurnUsage, 'activeMs' | 'storage'>
  /** Tokens that the session's agent takes, should the command start the next turn. */
  window: number
}
