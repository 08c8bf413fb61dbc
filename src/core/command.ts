/**
 * Commands: what is asked of a session. Those of people come with `by`; those of the session itself (a step is done, a
 * turn was found without its runner) carry the generation they speak for, where there is one.
 */
import type { Approval, ApprovalDecision, ApprovalStatus } from '../protocol/approval.ts'
import type { By } from '../protocol/by.ts'
import type { ErrorBody } from '../protocol/errors.ts'
import type { Profile } from '../protocol/event.ts'
import type { InputPart, Part, TokenUsage } from '../protocol/message.ts'
import type { Budgets } from '../protocol/policy.ts'
import type { Recovery, TurnCost, TurnSource, TurnStatus, WhenBusy } from '../protocol/turn.ts'

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
  | FinishToolCommand
  /** The step's model call was cut, and may be made again; `error` is what the turn fails with if that was done too often. */
  | { type: 'retryStep'; generation: number; error: ErrorBody; report: TurnReport }
  /** A budget is spent: the turn ends with what it has. */
  | { type: 'stopTurn'; generation: number; finishReason: string; report: TurnReport }
  | { type: 'failTurn'; generation: number; error: ErrorBody; report: TurnReport }
  | AnswerApprovalCommand
  /** Time has passed: approvals that expired are denied. */
  | { type: 'expireApprovals'; report: TurnReport }
  /** The object woke with a running turn and no runner. */
  | { type: 'recoverTurn'; report: TurnReport }

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
  agentVersion: string | null
  /** Tokens that the model which answered can take. */
  window: number
  /** One for each tool call of `parts`, in their order. */
  calls: CallVerdict[]
  /** False: another step follows anyway. */
  final: boolean
  budgets: Budgets
  report: TurnReport
}

/** What becomes of a tool call. */
export type CallVerdict =
  | { type: 'run'; idempotent: boolean }
  | { type: 'ask'; idempotent: boolean; inputHash: string; expiresInMs: number }
  /** The model is told why. */
  | { type: 'refuse'; message: string }

export interface FinishToolCommand {
  type: 'finishTool'
  generation: number
  toolCallId: string
  outcome: ToolOutcome
  report: TurnReport
}

export interface ToolOutcome {
  /** A preview where `bytes` says that the whole is larger and kept elsewhere. */
  output: unknown
  bytes?: number
  isError: boolean
  /** What the tool noted; `text` null forgets. */
  notes: { key: string; text: string | null }[]
}

export interface AnswerApprovalCommand {
  type: 'answerApproval'
  by: By
  approvalId: string
  decision: ApprovalDecision
  scope: 'once' | 'session'
  reason: string | null
  /** What the log tells of the approval if it is no longer pending; null: there is no such approval. */
  past: Approval | null
  report: TurnReport
}

/** How an approval ends. */
export interface Resolution {
  status: Exclude<ApprovalStatus, 'pending'>
  by: By
  reason: string | null
}

/** What the shell knows of the active turn at this moment, for commands that may end it. State holds no words, so they come here. */
export interface TurnReport {
  /** Words that were streamed by the current step and are not durable; null: none. */
  said: { parts: Part[]; contextSeq: number } | null
  /** The words of every steered input that is not consumed, by the seq of its `turn.steered`. */
  steeredInputs: ReadonlyMap<number, InputPart[]>
  /** Every pending approval, whole, by its id. */
  approvals: ReadonlyMap<string, Approval>
  /** What the turn has cost so far, tokens aside. */
  cost: TurnCost
  /** Of the session's agent, should the command start the next turn: tokens that it takes, and how its turns recover. */
  window: number
  recovery: Recovery
}
