/**
 * Runs what the state says should run: one model call, or the tools that were started, each ending in a commit. `reconcile`
 * starts what is missing and aborts what is no longer wanted, and that is the one path for a live turn, a cancelled one, one
 * whose approval came, and one found after a restart.
 */
import type { AgentRegistry } from '../agents/agent.ts'
import type { TurnReport } from '../core/command.ts'
import { effectKey, pendingEffects, type Effect } from '../core/pending-effects.ts'
import type { SessionState } from '../core/state.ts'
import type { Event } from '../protocol/event.ts'
import type { DeltaFrame, Partial } from '../protocol/frame.ts'
import { budgetFinishReasons } from '../protocol/policy.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Ledger } from './commit.ts'
import { ContextMemory } from './context-memory.ts'
import { errorOf, type Flight } from './flight.ts'
import type { Host } from './host.ts'
import { pendingApprovals } from './read-approvals.ts'
import { readInput } from './read-turns.ts'
import { StepRunner } from './run-step.ts'
import { ToolRunner } from './run-tool.ts'
import { Speech } from './speech.ts'
import type { TurnMeter } from './turn-meter.ts'

interface InFlight extends Flight {
  abort: AbortController
}

export class TurnRunner {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #store: SessionStore
  readonly #meter: TurnMeter
  readonly #agents: AgentRegistry
  readonly #memory: ContextMemory
  readonly #speech: Speech
  readonly #steps: StepRunner
  readonly #tools: ToolRunner
  readonly #flights = new Map<string, InFlight>()
  /** The clock when time was last charged; null: nothing is under way. */
  #chargedAt: number | null = null
  #timeLimit: { turnId: string; cancel: () => void } | null = null

  constructor(host: Host, ledger: Ledger, store: SessionStore, meter: TurnMeter, agents: AgentRegistry, send: (frame: DeltaFrame) => void) {
    this.#host = host
    this.#ledger = ledger
    this.#store = store
    this.#meter = meter
    this.#agents = agents
    this.#memory = new ContextMemory(store)
    this.#speech = new Speech(host, store, meter, send)
    const report = () => this.report()
    this.#steps = new StepRunner(host, ledger, store, agents, this.#memory, this.#speech, report)
    this.#tools = new ToolRunner(host, ledger, store, agents, report)
  }

  /** Whether somebody speaks for the running turn. */
  get isRunning(): boolean {
    return this.#flights.size > 0
  }

  /** A commit was made: its words need not be read again. */
  observe(events: Event[]): void {
    this.#memory.observe(events)
  }

  reconcile(state: SessionState): void {
    const wanted = new Map(pendingEffects(state).map((effect) => [effectKey(effect), effect]))
    for (const [key, flight] of this.#flights) if (!wanted.has(key)) this.#abort(flight)
    for (const [key, effect] of wanted) if (!this.#flights.has(key)) this.#start(key, effect)
    if (wanted.size === 0 || this.#timeLimit?.turnId !== state.active?.turnId) this.#dropTimeLimit()
  }

  stop(): void {
    for (const flight of this.#flights.values()) this.#abort(flight)
    this.#dropTimeLimit()
  }

  /** What is known of the active turn right now, for a command that may end it. */
  report(): TurnReport {
    const state = this.#ledger.state
    const { assembly } = this.#speech
    this.#charge()
    const traits = state && this.#agents.peek(state.agent, state.model)
    return {
      said: assembly ? { parts: assembly.said(), contextSeq: assembly.contextSeq } : null,
      steeredInputs: new Map((state?.active?.steers ?? []).map(({ seq }) => [seq, readInput(this.#store, [seq])])),
      approvals: new Map(state ? pendingApprovals(this.#store, state).map((approval) => [approval.id, approval]) : []),
      cost: this.#meter.cost(),
      window: traits?.window ?? state?.context.window ?? 0,
      recovery: traits?.recovery ?? 'resume',
    }
  }

  /** Sends what is coalesced. */
  flush(): void {
    this.#speech.flush()
  }

  /** The message in the making, everything of it sent; null between steps and when nothing runs. */
  flushedPartial(): Partial | null {
    return this.#speech.flushedPartial()
  }

  #start(key: string, effect: Effect): void {
    const abort = new AbortController()
    const flight: InFlight = {
      effect,
      abort,
      signal: abort.signal,
      isCurrent: () => this.#flights.get(key) === flight,
      land: () => this.#land(key, flight),
      limitTime: (seconds) => this.#limitTime(seconds),
    }
    this.#chargedAt ??= this.#host.now()
    this.#flights.set(key, flight)
    this.#host.background(this.#drive(flight))
  }

  async #drive(flight: InFlight): Promise<void> {
    // The commit that started it is told to everyone before its first word.
    await Promise.resolve()
    try {
      if (!flight.isCurrent()) return
      await this.#run(flight)
    } catch (error) {
      if (flight.isCurrent()) this.#fail(flight, error)
    } finally {
      flight.land()
    }
  }

  #run({ effect, ...flight }: InFlight): Promise<void> {
    return effect.type === 'runStep' ? this.#steps.run({ ...flight, effect }) : this.#tools.run({ ...flight, effect })
  }

  #land(key: string, flight: InFlight): void {
    if (this.#flights.get(key) !== flight) return
    this.#flights.delete(key)
    if (this.#flights.size === 0) this.#stopClock()
  }

  #abort(flight: InFlight): void {
    // A step that is between its words has nobody who listens; a tool always may.
    if (flight.effect.type === 'runStep') this.#speech.drop()
    flight.land()
    flight.abort.abort(new Error('The turn was ended.'))
  }

  #fail({ effect, land }: InFlight, error: unknown): void {
    this.#host.log({ event: 'agent.failed', level: 'warn', turnId: effect.turnId, error: error instanceof Error ? error.name : 'unknown' })
    const report = this.report()
    // Words before the event that keeps them; after it they are nobody's any more.
    this.#speech.flush()
    this.#speech.drop()
    land()
    this.#ledger.execute({ type: 'failTurn', generation: effect.generation, error: errorOf(error), report })
  }

  /** One timer for each turn: its budget may change with the next, and does not run while it waits for a person. */
  #limitTime(seconds: number | undefined): void {
    const turnId = this.#ledger.state?.active?.turnId
    if (seconds === undefined || turnId === undefined || this.#timeLimit) return
    this.#charge()
    const leftMs = Math.max(0, seconds * 1000 - this.#meter.cost().activeMs)
    const cancel = this.#host.timer(leftMs, () => this.#onTimeLimit(seconds))
    this.#timeLimit = { turnId, cancel }
  }

  #onTimeLimit(seconds: number): void {
    this.#timeLimit = null
    const active = this.#ledger.state?.active
    if (active?.status !== 'running') return
    const report = this.report()
    if (report.cost.activeMs < seconds * 1000) return this.#limitTime(seconds)
    const finishReason = budgetFinishReasons.seconds
    this.#ledger.execute({ type: 'stopTurn', generation: active.generation, finishReason, report })
  }

  #dropTimeLimit(): void {
    this.#timeLimit?.cancel()
    this.#timeLimit = null
  }

  #charge(): void {
    if (this.#chargedAt === null) return
    const now = this.#host.now()
    this.#meter.addActiveMs(Math.max(0, now - this.#chargedAt))
    this.#chargedAt = now
  }

  #stopClock(): void {
    this.#charge()
    this.#chargedAt = null
  }
}
