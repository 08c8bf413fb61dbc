/**
 * Plays the shell's part around the pure core: keeps the log, folds commits into the state, reads the words of steered
 * inputs back from the log, and knows which turn ended how. States and events are frozen as soon as they exist, so that
 * whatever changes them in place throws.
 */
import type { Command, TurnReport } from '../../src/core/command.ts'
import type { Commit } from '../../src/protocol/commit.ts'
import { decide, type Decision } from '../../src/core/decide.ts'
import { foldCommit } from '../../src/core/reduce.ts'
import type { SessionState } from '../../src/core/state.ts'
import { isTerminal, type Event, type EventOf } from '../../src/protocol/event.ts'
import type { InputPart, Part } from '../../src/protocol/message.ts'
import { turnIdAt } from '../../src/protocol/ids.ts'
import type { TurnStatus } from '../../src/protocol/turn.ts'
import { bys, type Move, type Wish } from './arbitraries.ts'

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

export const sessionId = 'ses_00000000000000000000000000'
export const [ada, bob, guest] = bys
export const noCost = { activeMs: 0, storage: { rowsRead: 0, rowsWritten: 0 } }
const tokenUsage = { inputTokens: 7, outputTokens: 5, cachedTokens: 3, reasoningTokens: 1 }

export class SessionDriver {
  readonly history: Outcome[] = []
  readonly commits: Commit[] = []
  readonly events: Event[] = []
  now = 1_700_000_000_000
  window = 200
  #state: SessionState | null = null
  #stepBeganSeq = 0

  /** The state of the session, which must exist. */
  get state(): SessionState {
    if (!this.#state) throw new Error('There is no session yet')
    return this.#state
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

  play(move: Move): Outcome {
    this.now = Math.max(0, this.now + move.elapsedMs)
    const { wish } = move
    if (wish.type === 'update' && wish.window !== null) this.window = wish.window
    return this.perform(this.#commandOf(wish, move))
  }

  /** Lets every accepted turn run to its end. */
  drain(): void {
    for (let bound = 1000; this.#state?.active; bound--) {
      if (bound === 0) throw new Error('The queue does not drain')
      this.perform(this.finishStep({}))
    }
  }

  create(): Command {
    return { type: 'createSession', by: ada, sessionId, profile: { agent: 'demo' }, window: this.window }
  }

  /** A submission with defaults for whatever is not said. */
  submit(more: Partial<Extract<Command, { type: 'submitTurn' }>> = {}): Command {
    const input: InputPart[] = [{ type: 'text', text: 'Hello' }]
    const entropy = '0123456789ABCDEF'
    return { type: 'submitTurn', by: ada, source: 'api', input, whenBusy: 'enqueue', entropy, report: this.report(), ...more }
  }

  /** The last step of the active turn, its context as of now. */
  finishStep(more: Partial<Extract<Command, { type: 'finishStep' }>>): Command {
    const generation = this.#state?.active?.generation ?? 1
    const parts: Part[] = [{ type: 'text', text: 'Done.' }]
    const end = { parts, model: null, finishReason: 'stop', usage: tokenUsage, final: true }
    return { type: 'finishStep', generation, contextSeq: this.state.head, ...end, report: this.report(), ...more }
  }

  cancel(turnId: string, said: Part[] | null = null): Command {
    return { type: 'cancelTurn', by: ada, turnId, past: this.statusOf(turnId), report: this.report(said) }
  }

  recover(recovery: 'resume' | 'interrupt', said: Part[] | null = null): Command {
    return { type: 'recoverTurn', recovery, report: this.report(said) }
  }

  report(said: Part[] | null = null, contextSeq = this.#stepBeganSeq): TurnReport {
    const active = this.#state?.active
    const steeredInputs = new Map(active?.steers.map(({ seq }) => [seq, this.#steeredInput(seq)]))
    return { said: said && active ? { parts: said, contextSeq } : null, steeredInputs, cost: noCost, window: this.window }
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

  #append(commit: Commit): void {
    freeze(commit)
    this.#state = freeze(foldCommit(this.#state, commit))
    this.commits.push(commit)
    this.events.push(...commit.events)
    const stepBegan = commit.events.findLast(beginsStep)
    if (stepBegan) this.#stepBeganSeq = stepBegan.seq
  }

  #steeredInput(seq: number): InputPart[] {
    const event = this.events[seq - 1]
    if (event?.type !== 'turn.steered') throw new Error(`There is no steered input at ${seq}`)
    return event.input
  }

  #commandOf(wish: Wish, { said, readDelay }: Move): Command {
    const active = this.#state?.active
    // A step reads its context at some moment after it could begin.
    const contextSeq = Math.min(Math.max(this.#stepBeganSeq, 1) + readDelay, this.#state?.head ?? 1)
    const report = this.report(said, contextSeq)
    switch (wish.type) {
      case 'create':
        return this.create()
      case 'submit':
        return { ...wish, type: 'submitTurn', report }
      case 'cancel': {
        const turnId = this.#turnFor(wish)
        return { type: 'cancelTurn', by: wish.by, turnId, past: this.statusOf(turnId), report }
      }
      case 'update':
        return { type: 'updateSession', by: wish.by, patch: wish.patch, window: wish.window }
      case 'revokeTokens':
        return wish
      case 'finishStep': {
        const { parts, final, staleBy } = wish
        const generation = (active?.generation ?? 1) + staleBy
        return { type: 'finishStep', generation, contextSeq, parts, model: 'large', finishReason: 'stop', usage: tokenUsage, final, report }
      }
      case 'fail': {
        const generation = (active?.generation ?? 1) + wish.staleBy
        return { type: 'failTurn', generation, error: { code: 'internal', message: 'It broke.', retryable: false }, report }
      }
      case 'recover':
        return { type: 'recoverTurn', recovery: wish.recovery, report }
    }
  }

  #turnFor({ target, pick }: Extract<Wish, { type: 'cancel' }>): string {
    const unknown = turnIdAt((this.#state?.head ?? 0) + 1, '0000000000000000')
    const old = target === 'old' ? this.events.filter(isTerminal) : []
    const candidates = { active: this.#state?.active ? [this.#state.active] : [], queued: this.#state?.queue ?? [], old, unknown: [] }[
      target
    ]
    return candidates[pick % candidates.length]?.turnId ?? unknown
  }
}

/** A session that exists and is idle. */
export function newSession(window = 200): SessionDriver {
  const driver = new SessionDriver()
  driver.window = window
  driver.perform(driver.create())
  return driver
}

/** A session that was created and then lived through these moves. */
export function sessionAfter(moves: readonly Move[], window?: number): SessionDriver {
  const driver = newSession(window)
  for (const move of moves) driver.play(move)
  return driver
}

export function asStored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

function beginsStep(event: Event): boolean {
  if (event.type === 'message.completed') return event.message.role === 'assistant'
  return event.type === 'turn.started' || event.type === 'turn.resumed'
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) freeze(item)
  return value
}
