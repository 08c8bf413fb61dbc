/** An effect that is under way, and what an error of it may tell. */
import { AgentError } from '../agents/agent.ts'
import type { Effect } from '../core/pending-effects.ts'
import { refusal, type ErrorBody } from '../protocol/errors.ts'
import { VersionTooNewError } from '../storage/formats.ts'

export interface Flight<E extends Effect = Effect> {
  readonly effect: E
  /** Aborted when what it does is no longer wanted. */
  readonly signal: AbortSignal
  isCurrent: () => boolean
  /** Its outcome is about to be committed: from here on nothing of it is under way. */
  land: () => void
  /** The turn may take so many seconds in all, waiting not counted. */
  limitTime: (seconds: number | undefined) => void
}

/** Words of an error reach people only if it was made for them. */
export function errorOf(error: unknown): ErrorBody {
  if (error instanceof AgentError) return refusal(error.code, error.message, { retryable: error.retryable })
  if (error instanceof VersionTooNewError) return refusal('version_too_new', error.message)
  return refusal('internal', 'The agent stopped with an error.')
}
