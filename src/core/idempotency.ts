/** The idempotency window (rule TRN6): the newest commands that came with a key, and what each was told. */
import { refuse, type Result } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Commit, Receipt } from '../protocol/commit.ts'
import type { IdempotencyWindow } from './state.ts'

export function remember(window: IdempotencyWindow, commit: Commit): IdempotencyWindow {
  if (!commit.command) return window
  return [...window, commit.command].slice(-limits.idempotentCommands)
}

/** The receipt of the same command under the same key, null if the key is new; the key with another command is a conflict. */
export function recall(window: IdempotencyWindow, key: string, fingerprint: string): Result<Receipt | null> {
  const known = window.findLast((command) => command.key === key)
  if (!known) return { ok: true, value: null }
  if (known.fingerprint === fingerprint) return { ok: true, value: known.receipt }
  return refuse('idempotency_conflict', 'This idempotency key was used for another command.')
}
