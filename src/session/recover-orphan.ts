/**
 * A turn that the state says is running and nobody speaks for is an orphan: its object died. It gets a new generation, or
 * an end that keeps what it had said (rule TRN4).
 */
import type { AgentRegistry } from '../agents/agent.ts'
import { currentMessageId } from '../core/end-turn.ts'
import type { ActiveTurn } from '../core/state.ts'
import type { StoredPartial } from '../storage/partial-text.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Ledger } from './commit.ts'
import type { TurnRunner } from './run-effect.ts'
import type { TurnMeter } from './turn-meter.ts'

export interface Orphan {
  active: ActiveTurn
  /** What its step had said, as far as that was saved. */
  partial: StoredPartial | null
}

/** Only reads, so that a wake which cannot read what it must leaves everything as it is. */
export function findOrphan(store: SessionStore, { state }: Ledger, runner: TurnRunner): Orphan | null {
  const active = state?.active
  if (active?.status !== 'running' || runner.isRunning) return null
  const partial = store.partial.load()
  return { active, partial: partial?.messageId === currentMessageId(active) ? partial : null }
}

export function recoverOrphan(
  { active, partial }: Orphan,
  ledger: Ledger,
  runner: TurnRunner,
  meter: TurnMeter,
  agents: AgentRegistry,
): void {
  if (partial) {
    const { activeMs, rowsRead, rowsWritten } = partial
    meter.resumeFrom({ activeMs, storage: { rowsRead, rowsWritten } })
  }
  const recovery = agents.get(active.agent)?.recovery ?? 'interrupt'
  ledger.execute({ type: 'recoverTurn', recovery, report: { ...runner.report(), said: partial } })
}
