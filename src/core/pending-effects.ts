/**
 * What must be going on is a function of the state. After every commit, and on waking, the shell compares this with what
 * it has in flight, starts what is missing and aborts what is no longer wanted.
 */
import type { SessionState } from './state.ts'

export interface RunTurnEffect {
  type: 'runTurn'
  turnId: string
  /** Who may speak; also what tells two runs apart. */
  generation: number
}

export type Effect = RunTurnEffect

export function pendingEffects(state: SessionState): Effect[] {
  const { active } = state
  if (active?.status !== 'running') return []
  return [{ type: 'runTurn', turnId: active.turnId, generation: active.generation }]
}
