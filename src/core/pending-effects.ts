/**
 * What must be going on is a function of the state. After every commit, and on waking, the shell compares this with what
 * it has in flight, starts what is missing and aborts what is no longer wanted. A turn that waits for a person needs nothing.
 */
import type { SessionState } from './state.ts'

/** One model call. */
export interface RunStepEffect {
  type: 'runStep'
  turnId: string
  /** Who may speak. */
  generation: number
  /** 1 for the first of the turn. */
  step: number
}

/** One tool that was started: its calls run side by side. */
export interface RunToolEffect {
  type: 'runTool'
  turnId: string
  generation: number
  toolCallId: string
}

export type Effect = RunStepEffect | RunToolEffect

export function pendingEffects(state: SessionState): Effect[] {
  const { active } = state
  if (active?.status !== 'running') return []
  const { turnId, generation, calls, steps } = active
  if (calls.length === 0) return [{ type: 'runStep', turnId, generation, step: steps + 1 }]
  const started = calls.filter(({ status }) => status === 'started')
  return started.map(({ toolCallId }) => ({ type: 'runTool', turnId, generation, toolCallId }))
}

/** Tells two effects apart: the same one is never in flight twice. */
export function effectKey(effect: Effect): string {
  return `${effect.generation}/${effect.type === 'runStep' ? effect.step : effect.toolCallId}`
}

/** When the first of the pending approvals expires; null: none is pending. */
export function nextApprovalExpiry(state: SessionState): number | null {
  const pending = (state.active?.calls ?? []).filter(({ status }) => status === 'asked')
  return pending.reduce<number | null>((next, { approval }) => Math.min(next ?? Infinity, approval?.expiresAt ?? Infinity), null)
}
