/**
 * What one schedule saw: every command with what it was told, every event and session that anybody was shown, all that
 * the agents said. Facts that can never both be true are found as they come in; the rest is for the model to judge.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Level, Principal } from '../../src/protocol/access.ts'
import { withoutInstructions, type Event } from '../../src/protocol/event.ts'
import type { Session } from '../../src/protocol/session.ts'
import type { WhenBusy } from '../../src/protocol/turn.ts'
import type { ApprovalDecision } from '../../src/protocol/approval.ts'
import type { Invocation } from './invocation.ts'
import type { Effect } from './simulated-tools.ts'

export type Answer =
  | { ok: true; seq: number | null; turnId: string | null; status: string | null }
  /** `status`: of the approval that was resolved otherwise. */
  | { ok: false; code: string; status: string | null }

export interface CommandRecord {
  /** The idempotency key, and the word that the input or title carries, so that its effects can be counted. */
  key: string
  verb: 'submitTurn' | 'cancelTurn' | 'update' | 'answerApproval'
  whenBusy: WhenBusy | null
  turnId: string | null
  approval: { id: string; decision: ApprovalDecision } | null
  principal: Principal
  /** Sends that may have reached the object and whose answer nobody heard. */
  unanswered: number
  answers: Answer[]
}

export class Violation extends Error {
  readonly rule: string
  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`)
    this.rule = rule
  }
}

export class History {
  /** The first rule that was seen broken. */
  violation: Violation | null = null
  /** Crashes and evictions so far. */
  restarts = 0
  /** Of these, the crashes. */
  crashes = 0
  readonly commands = new Map<string, CommandRecord>()
  readonly events = new Map<number, Event>()
  readonly sessions = new Map<number, Session>()
  readonly invocations: Invocation[] = []
  /** What tools did to the world. */
  readonly effects: Effect[] = []
  /** When the alarm fired, by the object's clock. */
  readonly alarms: number[] = []
  /** How often an agent could not be found. */
  agentsAway = 0
  readonly lines: string[] = []

  /** Checks run inside calls from the code under test too, which may catch what they throw: so the first one is kept. */
  violate(rule: string, message: string): void {
    if (this.violation) return
    this.violation = new Violation(rule, message)
    this.note(`VIOLATION ${rule}: ${message}`)
  }

  note(line: string): void {
    this.lines.push(line)
  }

  /** A restart may have lost the end of what such a turn was saying; without one nothing may be lost. */
  wasRestartedDuring(turnId: string): boolean {
    return this.invocations.some((invocation) => invocation.turnId === turnId && invocation.restartsBefore < this.restarts)
  }

  sawEvent(who: string, shown: Event, level: Level): void {
    const event = withoutInstructions(shown)
    if (shown.type === 'session.created' && (shown.instructions !== undefined) !== (level === 'member')) {
      this.violate('SEC2', `${who} with ${level} access was shown ${JSON.stringify(shown)}`)
    }
    const known = this.events.get(event.seq)
    if (!known) this.events.set(event.seq, event)
    else if (!isDeepStrictEqual(known, event)) {
      this.violate('LOG1', `${who} got another event ${event.seq} than was shown before: ${JSON.stringify([known, event])}`)
    }
  }

  /** A session is a function of the log up to its head: whoever looks at the same head sees the same (LOG3). */
  sawSession(who: string, session: Session, level: Level): void {
    const { instructions: _, ...shown } = session
    if ((session.instructions !== undefined) !== (level === 'member')) {
      this.violate('SEC2', `${who} with ${level} access was shown the instructions ${session.instructions}`)
    }
    const known = this.sessions.get(session.head)
    if (!known) this.sessions.set(session.head, shown)
    else if (!isDeepStrictEqual(known, shown)) {
      this.violate('LOG3', `${who} sees another session at head ${session.head}: ${JSON.stringify([known, shown])}`)
    }
  }
}
