/**
 * Where commands of people come in, over HTTP and over sockets alike: each becomes a command of the core with all it needs
 * to know, is executed, and answered with the current representation of what it made or changed.
 */
import type { Agent } from '../agents/agent.ts'
import type { Receipt } from '../protocol/commit.ts'
import { ENTROPY_LENGTH } from '../protocol/ids.ts'
import { byOf, type Principal } from '../protocol/access.ts'
import { nextApprovalExpiry } from '../core/pending-effects.ts'
import type { Approval } from '../protocol/approval.ts'
import type { AnswerApproval, CreateSession, SubmitTurn, UpdateSession } from '../protocol/body.ts'
import { refuse, type Refusal } from '../protocol/errors.ts'
import type { Session } from '../protocol/session.ts'
import type { Turn, TurnSource } from '../protocol/turn.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Execution, Identity, Ledger } from './commit.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Host } from './host.ts'
import { readApproval } from './read-approvals.ts'
import { readSession } from './read-session.ts'
import { readTurn, turnStatus } from './read-turns.ts'
import type { TurnRunner } from './turn-runner.ts'

/** Who asks, and the idempotency key that came with it. */
export interface Caller {
  principal: Principal
  key: string | undefined
}

export type Outcome<T> = { ok: true; value: T; replayed: boolean } | { ok: false; error: Refusal }

export class Admission {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #store: SessionStore
  readonly #runner: TurnRunner

  constructor(host: Host, ledger: Ledger, store: SessionStore, runner: TurnRunner) {
    this.#host = host
    this.#ledger = ledger
    this.#store = store
    this.#runner = runner
  }

  /** `agent`: the one that the body names, or the default. */
  create(caller: Caller, sessionId: string, body: CreateSession, agent: Agent): Outcome<Session> {
    const execution = this.#ledger.execute(
      { type: 'createSession', by: byOf(caller.principal), sessionId, profile: { ...body, agent: agent.name }, window: agent.window },
      identityOf(caller, 'create', body),
    )
    return this.#answer(execution, () => this.#session(caller))
  }

  /** `agent`: the session's, as it will be, where the patch changes it or its model. */
  update(caller: Caller, patch: UpdateSession, ifMatch: number | null, agent: Agent | null): Outcome<Session> {
    const identity = identityOf(caller, 'update', { patch })
    const known = identity && this.#ledger.recall({ type: 'updateSession' }, identity)
    if (!known && ifMatch !== null && ifMatch !== this.#ledger.state?.head) {
      return refuse('precondition_failed', `The head is ${this.#ledger.state?.head}, not ${ifMatch}.`)
    }
    const by = byOf(caller.principal)
    const execution = this.#ledger.execute({ type: 'updateSession', by, patch, window: agent?.window ?? null }, identity)
    return this.#answer(execution, () => this.#session(caller))
  }

  submitTurn(caller: Caller, body: SubmitTurn, source: TurnSource): Outcome<{ turn: Turn; seq: number }> {
    const execution = this.#ledger.execute(
      {
        type: 'submitTurn',
        by: byOf(caller.principal),
        source,
        input: body.input,
        whenBusy: body.whenBusy,
        entropy: this.#host.entropy(ENTROPY_LENGTH),
        report: this.#runner.report(),
      },
      identityOf(caller, 'submitTurn', body),
    )
    return this.#answer(execution, ({ seq, turnId }) => ({ turn: this.#turn(turnId), seq }))
  }

  cancelTurn(caller: Caller, turnId: string): Outcome<Turn> {
    const state = this.#ledger.state
    const past = state && turnStatus(this.#store, state, turnId)
    const by = byOf(caller.principal)
    const execution = this.#ledger.execute(
      { type: 'cancelTurn', by, turnId, past, report: this.#runner.report() },
      identityOf(caller, 'cancelTurn', { turnId }),
    )
    return this.#answer(execution, () => this.#turn(turnId))
  }

  answerApproval(caller: Caller, approvalId: string, answer: AnswerApproval): Outcome<Approval> {
    this.expireApprovals()
    const { decision, scope, reason = null } = answer
    const by = byOf(caller.principal)
    const past = readApproval(this.#store, approvalId)
    const execution = this.#ledger.execute(
      { type: 'answerApproval', by, approvalId, decision, scope, reason, past, report: this.#runner.report() },
      identityOf(caller, 'answerApproval', { approvalId, ...answer }),
    )
    return this.#answer(execution, () => this.#approval(approvalId))
  }

  /** Those whose time is over, before anybody answers them, and when the alarm says so. */
  expireApprovals(): void {
    const state = this.#ledger.state
    const expiresAt = state && nextApprovalExpiry(state)
    // By the log's time, as the core has it: a clock that went back must not leave one that nobody may answer any more.
    if (expiresAt === null || expiresAt > Math.max(this.#host.now(), state?.lastAt ?? 0)) return
    this.#ledger.execute({ type: 'expireApprovals', report: this.#runner.report() })
  }

  revokeTokens(caller: Caller): Outcome<null> {
    const execution = this.#ledger.execute({ type: 'revokeTokens', by: byOf(caller.principal) }, identityOf(caller, 'revokeTokens', {}))
    return this.#answer(execution, () => null)
  }

  #answer<T>(execution: Execution, value: (receipt: Receipt) => T): Outcome<T> {
    return execution.ok ? { ok: true, value: value(execution.receipt), replayed: execution.replayed } : execution
  }

  #session({ principal }: Caller): Session {
    const state = this.#ledger.state
    if (!state) throw new Error('An accepted command left no session')
    return readSession(this.#store, state, principal)
  }

  #approval(approvalId: string): Approval {
    const approval = readApproval(this.#store, approvalId)
    if (!approval) throw new Error('An answered approval is not in the log')
    return approval
  }

  #turn(turnId: string | undefined): Turn {
    const state = this.#ledger.state
    const turn = state && turnId !== undefined && readTurn(this.#store, state, turnId)
    if (!turn) throw new Error('An accepted turn is not in the log')
    return turn
  }
}

function identityOf({ key }: Caller, verb: string, body: unknown): Identity | null {
  return key === undefined ? null : { key, fingerprint: fingerprintOf(verb, body) }
}
