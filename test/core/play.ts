/** Turns the moves of a random history into the commands that they mean at their moment, and plays them. */
import type { CallVerdict, Command, TurnReport } from '../../src/core/command.ts'
import { approvalIdAt, turnIdAt } from '../../src/protocol/ids.ts'
import { isTerminal } from '../../src/protocol/event.ts'
import type { CallWish, Move, Wish } from './arbitraries.ts'
import { newSession, type Outcome, type SessionDriver } from './session-driver.ts'

type WishOf<T extends Wish['type']> = Extract<Wish, { type: T }>

/** A session that was created and then lived through these moves. */
export function sessionAfter(moves: readonly Move[], window?: number): SessionDriver {
  const driver = newSession(window)
  for (const move of moves) play(driver, move)
  return driver
}

function play(driver: SessionDriver, move: Move): Outcome {
  const { wish, elapsedMs, recovery } = move
  driver.now = Math.max(0, driver.now + elapsedMs)
  driver.recovery = recovery
  if (wish.type === 'update' && wish.window !== null) driver.window = wish.window
  return driver.perform(commandOf(driver, wish, move))
}

function commandOf(driver: SessionDriver, wish: Wish, { said, readDelay }: Move): Command {
  // A step reads its context at some moment after it could begin.
  const contextSeq = Math.min(driver.stepBeganSeq + readDelay, driver.state.head)
  const report = driver.report(said, contextSeq)
  const generation = driver.generation + ('staleBy' in wish ? wish.staleBy : 0)
  switch (wish.type) {
    case 'create':
      return driver.create()
    case 'submit':
      return { ...wish, type: 'submitTurn', report }
    case 'cancel': {
      const turnId = turnFor(driver, wish)
      return { ...driver.cancel(turnId), by: wish.by, report }
    }
    case 'update':
      return { ...wish, type: 'updateSession' }
    case 'revokeTokens':
      return wish
    case 'finishStep':
      return finishStep(driver, wish, { generation, contextSeq, report })
    case 'finishTool':
      return { type: 'finishTool', generation, toolCallId: callFor(driver, wish), outcome: wish.outcome, report }
    case 'answer': {
      const approvalId = approvalFor(driver, wish)
      const { by, decision, scope, reason } = wish
      return { type: 'answerApproval', by, approvalId, decision, scope, reason, past: driver.approvalOf(approvalId), report }
    }
    case 'expire':
      return { type: 'expireApprovals', report }
    case 'retry':
      return { ...driver.retry(), generation, report }
    case 'stop':
      return { ...driver.stop(), generation, report }
    case 'fail':
      return { ...driver.fail(), generation, report }
    case 'recover':
      return { type: 'recoverTurn', report }
  }
}

function finishStep(
  driver: SessionDriver,
  { parts, calls, final, budgets }: WishOf<'finishStep'>,
  place: { generation: number; contextSeq: number; report: TurnReport },
): Command {
  const words = [...parts, ...driver.callParts(calls.map(({ toolName, input }) => ({ toolName, input })))]
  return driver.finishStep({ ...place, parts: words, calls: calls.map(verdictOf), model: 'large', agentVersion: '3', final, budgets })
}

function verdictOf({ verdict, idempotent, input, expiresInMs }: CallWish): CallVerdict {
  switch (verdict) {
    case 'run':
      return { type: 'run', idempotent }
    case 'ask':
      return { type: 'ask', idempotent, inputHash: `hash of ${input.length}`, expiresInMs }
    case 'refuse':
      return { type: 'refuse', message: 'There is no such tool.' }
  }
}

function turnFor(driver: SessionDriver, { target, pick }: WishOf<'cancel'>): string {
  const { active, queue, head } = driver.state
  const unknown = turnIdAt(head + 1, '0000000000000000')
  const old = target === 'old' ? driver.events.filter(isTerminal) : []
  const candidates = { active: active ? [active] : [], queued: queue, old, unknown: [] }[target]
  return candidates[pick % candidates.length]?.turnId ?? unknown
}

function callFor(driver: SessionDriver, { target, pick }: WishOf<'finishTool'>): string {
  const open = driver.state.active?.calls ?? []
  const candidates = target === 'started' ? open.filter(({ status }) => status === 'started') : target === 'any' ? open : []
  return candidates[pick % candidates.length]?.toolCallId ?? 'call_unknown'
}

function approvalFor(driver: SessionDriver, { target, pick }: WishOf<'answer'>): string {
  const pending = (driver.state.active?.calls ?? []).flatMap(({ status, approval }) =>
    status === 'asked' && approval ? [approval.id] : [],
  )
  const old = target === 'old' ? driver.eventsOf('approval.resolved').map(({ approval }) => approval.id) : []
  const candidates = { pending, old, unknown: [] }[target]
  return candidates[pick % candidates.length] ?? approvalIdAt(driver.state.head + 1, turnIdAt(1, '0000000000000000'))
}
