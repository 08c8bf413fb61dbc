/**
 * Plays the shell's part around the pure core: keeps the log, folds commits into the state, reads words back from the log
 * for commands that need them, and knows what the log tells of turns and approvals. States and events are frozen as soon
 * as they exist, so that whatever changes them in place throws.
 */
import type { CallVerdict, Command, ToolOutcome, TurnReport } from '../../src/core/command.ts'
import type { Approval } from '../../src/protocol/approval.ts'
import type { Commit } from '../../src/protocol/commit.ts'
import { decide, type Decision } from '../../src/core/decide.ts'
import { currentMessageId } from '../../src/core/end-turn.ts'
import { nextApprovalExpiry } from '../../src/core/pending-effects.ts'
import { foldCommit } from '../../src/core/reduce.ts'
import type { OpenCall, SessionState } from '../../src/core/state.ts'
import { isTerminal, type Event, type EventOf } from '../../src/protocol/event.ts'
import type { InputPart, Part, ToolCallPart } from '../../src/protocol/message.ts'
import { toolCallIdAt } from '../../src/protocol/ids.ts'
import type { Recovery, TurnStatus } from '../../src/protocol/turn.ts'
import { bys } from './arbitraries.ts'

/** A command that was asked, and what became of it. */
export interface Outcome {
  command: Command
  now: number
  before: SessionState | null
  decision: Decision
  /** Events that were committed: none when it was refused. */
  events: Event[]
  after: SessionState | null
}

export type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>

export const sessionId = 'ses_00000000000000000000000000'
export const [ada, bob, guest] = bys
/** Of every turn, when it ends or waits. */
export const turnCost = { activeMs: 3000, storage: { rowsRead: 2, rowsWritten: 5 } }
const tokenUsage = { inputTokens: 7, outputTokens: 5, cachedTokens: 3, reasoningTokens: 1 }
const error = { code: 'internal' as const, message: 'It broke.', retryable: false }

export class SessionDriver {
  readonly history: Outcome[] = []
  readonly commits: Commit[] = []
  readonly events: Event[] = []
  now = 1_700_000_000_000
  window = 200
  /** Of the session's agent. */
  recovery: Recovery = 'resume'
  /** The earliest that the current step can have read its context. */
  stepBeganSeq = 1
  #state: SessionState | null = null

  /** The state of the session, which must exist. */
  get state(): SessionState {
    if (!this.#state) throw new Error('There is no session yet')
    return this.#state
  }

  get exists(): boolean {
    return this.#state !== null
  }

  perform(command: Command): Outcome {
    const before = this.#state
    const decision = decide(before, freeze(command), this.now)
    const events = decision.ok ? decision.events : []
    if (events.length > 0) this.#append({ events, command: { key: 'key', fingerprint: 'print', receipt: { seq: 1 } } })
    const outcome = { command, now: this.now, before, decision, events, after: this.#state }
    this.history.push(outcome)
    return outcome
  }

  /** Lets every accepted turn run to its end; half of the people who are asked answer. */
  drain(): void {
    for (let bound = 1000; this.#state?.active; bound--) {
      if (bound === 0) throw new Error('The queue does not drain')
      this.perform(this.#nextCommand(this.#state, bound % 2 === 0))
    }
  }

  create(): CommandOf<'createSession'> {
    return { type: 'createSession', by: ada, sessionId, profile: { agent: 'demo' }, window: this.window }
  }

  /** A submission with defaults for whatever is not said. */
  submit(more: Partial<CommandOf<'submitTurn'>> = {}): CommandOf<'submitTurn'> {
    const input: InputPart[] = [{ type: 'text', text: 'Hello' }]
    const entropy = '0123456789ABCDEF'
    return { type: 'submitTurn', by: ada, source: 'api', input, whenBusy: 'enqueue', entropy, report: this.report(), ...more }
  }

  /** The last step of the active turn, its context as of now. */
  finishStep(more: Partial<CommandOf<'finishStep'>> = {}): CommandOf<'finishStep'> {
    const parts: Part[] = [{ type: 'text', text: 'Done.' }]
    const end = { parts, model: null, agentVersion: null, finishReason: 'stop', usage: tokenUsage, final: true, calls: [], budgets: {} }
    const { head, context } = this.state
    const place = { generation: this.generation, contextSeq: head, window: context.window }
    return { type: 'finishStep', ...place, ...end, report: this.report(), ...more }
  }

  /** A step that calls a tool for each verdict, named `tool0`, `tool1` and so on. */
  callTools(verdicts: CallVerdict[], more: Partial<CommandOf<'finishStep'>> = {}): CommandOf<'finishStep'> {
    const parts = this.callParts(verdicts.map((_, index) => ({ toolName: `tool${index}`, input: { index } })))
    return this.finishStep({ parts, calls: verdicts, finishReason: 'tool-calls', ...more })
  }

  /** Calls as the step that runs now would make them. */
  callParts(calls: readonly Pick<ToolCallPart, 'toolName' | 'input'>[]): ToolCallPart[] {
    const active = this.#state?.active
    const messageId = active ? currentMessageId(active) : 'msg_00000000000000000000000000'
    return calls.map((call, index) => ({ type: 'tool-call', toolCallId: toolCallIdAt(messageId, index), ...call }))
  }

  /** The end of the call in this place of those that have no result. */
  finishTool(place = 0, outcome: Partial<ToolOutcome> = {}): CommandOf<'finishTool'> {
    const toolCallId = this.openCall(place).toolCallId
    const whole = { output: 'found', isError: false, notes: [], ...outcome }
    return { type: 'finishTool', generation: this.generation, toolCallId, outcome: whole, report: this.report() }
  }

  /** Ada's answer to the call in this place of those that have no result. */
  answer(place = 0, more: Partial<CommandOf<'answerApproval'>> = {}): CommandOf<'answerApproval'> {
    const approvalId = more.approvalId ?? this.openCall(place).approval?.id ?? 'none'
    const plain = { by: ada, decision: 'allow', scope: 'once', reason: null } as const
    return { type: 'answerApproval', ...plain, approvalId, past: this.approvalOf(approvalId), report: this.report(), ...more }
  }

  expire(): CommandOf<'expireApprovals'> {
    return { type: 'expireApprovals', report: this.report() }
  }

  retry(said: Part[] | null = null): CommandOf<'retryStep'> {
    return { type: 'retryStep', generation: this.generation, error, report: this.report(said) }
  }

  fail(said: Part[] | null = null): CommandOf<'failTurn'> {
    return { type: 'failTurn', generation: this.generation, error, report: this.report(said) }
  }

  stop(said: Part[] | null = null): CommandOf<'stopTurn'> {
    return { type: 'stopTurn', generation: this.generation, finishReason: 'time-limit', report: this.report(said) }
  }

  cancel(turnId: string, said: Part[] | null = null): CommandOf<'cancelTurn'> {
    return { type: 'cancelTurn', by: ada, turnId, past: this.statusOf(turnId), report: this.report(said) }
  }

  recover(said: Part[] | null = null): CommandOf<'recoverTurn'> {
    return { type: 'recoverTurn', report: this.report(said) }
  }

  /** `said` counts only while a step runs: nobody says anything while tools run or people are asked. */
  report(said: Part[] | null = null, contextSeq = this.stepBeganSeq): TurnReport {
    const active = this.#state?.active
    const isStepRunning = active?.status === 'running' && active.calls.length === 0
    const asked = (active?.calls ?? []).flatMap(({ status, approval }) => (status === 'asked' && approval ? [approval.requestedSeq] : []))
    return {
      said: said && isStepRunning ? { parts: said, contextSeq } : null,
      steeredInputs: new Map(active?.steers.map(({ seq }) => [seq, this.#eventAt(seq, 'turn.steered').input])),
      approvals: new Map(asked.map((seq) => this.#eventAt(seq, 'approval.requested').approval).map((each) => [each.id, each])),
      cost: turnCost,
      window: this.window,
      recovery: this.recovery,
    }
  }

  /** Of the active turn. */
  get generation(): number {
    return this.#state?.active?.generation ?? 1
  }

  openCall(place: number): OpenCall {
    const call = this.#state?.active?.calls[place]
    if (!call) throw new Error(`No call is open in place ${place}`)
    return call
  }

  eventsOf<T extends Event['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type)
  }

  /** What the log tells of a turn: how it ended, or null if it is unknown. */
  statusOf(turnId: string): TurnStatus | null {
    const own = this.events.filter((event) => 'turnId' in event && event.turnId === turnId)
    const end = own.find(isTerminal)
    if (!end) return own.some((event) => event.type === 'turn.queued') ? 'queued' : null
    const status = {
      'turn.completed': 'completed',
      'turn.failed': 'failed',
      'turn.cancelled': 'cancelled',
      'turn.interrupted': 'interrupted',
    } as const
    return status[end.type]
  }

  /** What the log tells of an approval: how it ended, that it is pending, or null if it is unknown. */
  approvalOf(approvalId: string): Approval | null {
    const told = [...this.eventsOf('approval.resolved'), ...this.eventsOf('approval.requested')]
    return told.find(({ approval }) => approval.id === approvalId)?.approval ?? null
  }

  #append(commit: Commit): void {
    freeze(commit)
    this.#state = freeze(foldCommit(this.#state, commit))
    this.commits.push(commit)
    this.events.push(...commit.events)
    const stepBegan = commit.events.findLast(beginsStep)
    if (stepBegan) this.stepBeganSeq = stepBegan.seq
  }

  #eventAt<T extends Event['type']>(seq: number, type: T): EventOf<T> {
    const event = this.eventsOf(type).find((each) => each.seq === seq)
    if (!event) throw new Error(`There is no ${type} at ${seq}`)
    return event
  }

  #nextCommand(state: SessionState, isAnswered: boolean): Command {
    const calls = state.active?.calls ?? []
    const started = calls.findIndex(({ status }) => status === 'started')
    if (started >= 0) return this.finishTool(started)
    if (calls.length === 0) return this.finishStep()
    this.now = Math.max(this.now, state.lastAt)
    if (isAnswered && (nextApprovalExpiry(state) ?? 0) > this.now) return this.answer(0)
    this.now = Math.max(this.now, nextApprovalExpiry(state) ?? 0)
    return this.expire()
  }
}

/** A session that exists and is idle. */
export function newSession(window = 200): SessionDriver {
  const driver = new SessionDriver()
  driver.window = window
  driver.perform(driver.create())
  return driver
}

/** A session whose turn runs its first step. */
export function busySession(window?: number): SessionDriver {
  const driver = newSession(window)
  driver.perform(driver.submit())
  return driver
}

export function typesOf({ events }: Pick<Outcome, 'events'>): string[] {
  return events.map((event) => event.type)
}

export function asStored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

/** A step begins when its turn starts or goes on, and when words or results of tools are added to it. */
function beginsStep(event: Event): boolean {
  if (event.type === 'message.completed') return event.message.role !== 'user'
  return event.type === 'turn.started' || event.type === 'turn.resumed'
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) freeze(item)
  return value
}
