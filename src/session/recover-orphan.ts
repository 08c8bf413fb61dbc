/**
 * A turn that the state says is running and nobody speaks for is an orphan: its object died. It gets a new generation, or
 * an end that keeps what it had said (rule TRN4).
 */
import { currentMessageId } from '../core/end-turn.ts'
import type { ActiveTurn } from '../core/state.ts'
import { noTurnUsage, type TurnCost } from '../protocol/turn.ts'
import type { StoredPartial } from '../storage/partial-text.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Ledger } from './commit.ts'
import type { TurnMeter } from './turn-meter.ts'
import type { TurnRunner } from './turn-runner.ts'

export interface Orphan {
  active: ActiveTurn
  /** What was last saved of the turn: words of this step, or of one before. */
  saved: StoredPartial | null
}

/** Only reads, so that a wake which cannot read what it must leaves everything as it is. */
export function findOrphan(store: SessionStore, { state }: Ledger, runner: TurnRunner): Orphan | null {
  const active = state?.active
  if (active?.status !== 'running' || runner.isRunning) return null
  const partial = store.partial.load()
  return { active, saved: partial?.turnId === active.turnId ? partial : null }
}

export function recoverOrphan({ active, saved }: Orphan, ledger: Ledger, runner: TurnRunner, meter: TurnMeter): void {
  meter.resumeFrom(costSoFar(active, saved))
  const said = saved?.messageId === currentMessageId(active) ? saved : null
  ledger.execute({ type: 'recoverTurn', report: { ...runner.report(), said } })
}

/** What is known of it: as of the last save while it spoke, or of the last time it began to wait. */
function costSoFar({ costBeforeWait }: ActiveTurn, saved: StoredPartial | null): TurnCost {
  const waited: TurnCost = costBeforeWait ?? noTurnUsage
  if (!saved || saved.activeMs < waited.activeMs) return waited
  const { activeMs, rowsRead, rowsWritten } = saved
  return { activeMs, storage: { rowsRead, rowsWritten } }
}
