/**
 * Runs the turn that the state says should run: one agent step after another, each ending in a commit. There is at most
 * one run, known by its generation; `reconcile` starts what is missing and aborts what is no longer wanted, and that is
 * the one path for a live turn, a cancelled one, and one found after a restart.
 */
import { AgentError, type Agent, type AgentEvent, type AgentRegistry } from '../agents/agent.ts'
import type { TurnReport } from '../core/command.ts'
import { contextTokens } from '../core/context-window.ts'
import { currentMessageId } from '../core/end-turn.ts'
import { pendingEffects, type RunTurnEffect } from '../core/pending-effects.ts'
import { noTokenUsage, type ActiveTurn, type SessionState } from '../core/state.ts'
import { refusal, type ErrorBody } from '../protocol/errors.ts'
import { messageIdAt } from '../protocol/ids.ts'
import type { Event } from '../protocol/event.ts'
import type { DeltaFrame, Partial } from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import { VersionTooNewError } from '../storage/formats.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Ledger } from './commit.ts'
import { ContextMemory } from './context-memory.ts'
import type { Host } from './host.ts'
import { MessageAssembly } from './message-assembly.ts'
import { PartialSaver } from './partial-saver.ts'
import { readInstructions } from './read-session.ts'
import { readInput } from './read-turns.ts'
import { sleepUntilAborted, untilAborted } from './abortable.ts'
import type { TurnMeter } from './turn-meter.ts'

/** Deltas after the first wait so long for more to join them. */
const coalesceMs = 40
/** UTF-16 units that may leave before the loop lets sockets drain. */
const burstUnits = 128 * 1024

interface Run extends RunTurnEffect {
  abort: AbortController
  assembly: MessageAssembly | null
  /** The clock when its time was last charged. */
  chargedAt: number
  flushTimer: (() => void) | null
}

export class TurnRunner {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #store: SessionStore
  readonly #meter: TurnMeter
  readonly #agents: AgentRegistry
  readonly #send: (frame: DeltaFrame) => void
  readonly #memory: ContextMemory
  readonly #saver: PartialSaver
  #run: Run | null = null

  constructor(host: Host, ledger: Ledger, store: SessionStore, meter: TurnMeter, agents: AgentRegistry, send: (frame: DeltaFrame) => void) {
    this.#host = host
    this.#ledger = ledger
    this.#store = store
    this.#meter = meter
    this.#agents = agents
    this.#send = send
    this.#memory = new ContextMemory(store)
    this.#saver = new PartialSaver(host, store, meter)
  }

  /** Whether somebody speaks for the running turn. */
  get isRunning(): boolean {
    return this.#run !== null
  }

  /** A commit was made: its words need not be read again. */
  observe(events: Event[]): void {
    this.#memory.observe(events)
  }

  reconcile(state: SessionState): void {
    const [wanted] = pendingEffects(state)
    if (this.#run && this.#run.generation !== wanted?.generation) this.stop()
    if (wanted && !this.#run) this.#start(wanted)
  }

  stop(): void {
    const run = this.#run
    this.#run = null
    run?.flushTimer?.()
    // Between steps nobody listens, and making an error is dear.
    if (run?.assembly) run.abort.abort(new Error('The turn was ended.'))
    this.#saver.cancel()
  }

  /** What is known of the active turn right now, for a command that may end it. */
  report(): TurnReport {
    const state = this.#ledger.state
    const assembly = this.#run?.assembly
    if (this.#run) this.#charge(this.#run)
    return {
      said: assembly ? { parts: assembly.snapshot(), contextSeq: assembly.contextSeq } : null,
      steeredInputs: new Map((state?.active?.steers ?? []).map(({ seq }) => [seq, readInput(this.#store, [seq])])),
      cost: this.#meter.cost(),
      window: this.#agents.get(state?.agent ?? '')?.window ?? state?.context.window ?? 0,
    }
  }

  /** Sends what is coalesced. */
  flush(): void {
    this.#sendAll(this.#run?.assembly?.flush() ?? [])
  }

  /** The message in the making, everything of it sent; null between steps and when nothing runs. */
  flushedPartial(): Partial | null {
    const assembly = this.#run?.assembly
    if (!assembly) return null
    this.flush()
    return { turnId: assembly.turnId, messageId: assembly.messageId, parts: assembly.snapshot() }
  }

  #start(effect: RunTurnEffect): void {
    const run = { ...effect, abort: new AbortController(), assembly: null, chargedAt: this.#host.now(), flushTimer: null }
    this.#run = run
    this.#host.background(this.#drive(run))
  }

  async #drive(run: Run): Promise<void> {
    // The commit that started the turn is told to everyone before its first word.
    await Promise.resolve()
    try {
      while (this.#run === run) await this.#step(run)
    } catch (error) {
      if (this.#run === run) this.#fail(run, error)
    } finally {
      if (this.#run === run) this.stop()
    }
  }

  async #step(run: Run): Promise<void> {
    const { state, active, agent } = this.#speaker(run)
    const assembly = new MessageAssembly(run.turnId, currentMessageId(active), state.head)
    run.assembly = assembly
    const words = untilAborted(agent.step(this.#request(run, state, active))[Symbol.asyncIterator](), run.abort.signal)
    const finish = await this.#listen(run, assembly, words)
    if (this.#run !== run || !finish) return
    this.#sendAll(assembly.end())
    run.assembly = null
    this.#saver.cancel()
    const report = this.report()
    this.#ledger.execute({
      type: 'finishStep',
      generation: run.generation,
      contextSeq: assembly.contextSeq,
      parts: assembly.snapshot(),
      model: state.model,
      finishReason: finish.finishReason,
      usage: finish.usage,
      final: finish.finishReason !== 'steered',
      report,
    })
  }

  /** Null: the turn was ended while the agent spoke. */
  async #listen(run: Run, assembly: MessageAssembly, words: Pick<AsyncIterator<AgentEvent>, 'next'>): Promise<Finish | null> {
    let burst = 0
    for (;;) {
      const next = await words.next()
      if (this.#run !== run) return null
      if (next.done) return { type: 'finish', finishReason: 'stop', usage: noTokenUsage }
      if (next.value.type === 'finish') return next.value
      this.#say(run, assembly, next.value)
      if (assembly.units >= limits.messageBytes) {
        run.abort.abort(new Error('The message has reached its largest size.'))
        run.abort = new AbortController()
        return { type: 'finish', finishReason: 'length', usage: noTokenUsage }
      }
      burst += next.value.text.length
      if (burst < burstUnits) continue
      burst = 0
      await sleepUntilAborted(this.#host, 1, run.abort.signal)
    }
  }

  #say(run: Run, assembly: MessageAssembly, words: Exclude<AgentEvent, Finish>): void {
    this.#sendAll(assembly.add(words))
    this.#saver.soon(run.generation, assembly)
    if (!assembly.hasPending || run.flushTimer) return
    run.flushTimer = this.#host.timer(coalesceMs, () => {
      run.flushTimer = null
      if (this.#run === run && run.assembly === assembly) this.#sendAll(assembly.flush())
    })
  }

  #speaker(run: Run): { state: SessionState; active: ActiveTurn; agent: Agent } {
    const state = this.#ledger.state
    const active = state?.active
    if (!state || active?.generation !== run.generation) throw new Error('A run outlived its generation')
    const agent = this.#agents.get(active.agent)
    if (!agent) throw new AgentUnavailable(active.agent)
    return { state, active, agent }
  }

  #request(run: Run, state: SessionState, active: ActiveTurn) {
    const { signal } = run.abort
    const steered = active.steers.map((steer) => ({
      id: messageIdAt(steer.seq, 0, run.turnId),
      seq: steer.seq,
      turnId: run.turnId,
      role: 'user' as const,
      parts: readInput(this.#store, [steer.seq]),
      createdAt: state.lastAt,
    }))
    return {
      sessionId: state.sessionId,
      turnId: run.turnId,
      step: active.steps + 1,
      instructions: readInstructions(this.#store, state),
      model: state.model,
      context: [...this.#memory.messages(state), ...steered],
      contextTokens: contextTokens(state.context) + active.steers.reduce((sum, { tokens }) => sum + tokens, 0),
      steered,
      steerWaiting: () => (this.#ledger.state?.active?.steers.length ?? 0) > active.steers.length,
      signal,
      sleep: (ms: number) => sleepUntilAborted(this.#host, ms, signal),
    }
  }

  #fail(run: Run, error: unknown): void {
    this.#host.log({ event: 'agent.failed', level: 'warn', turnId: run.turnId, error: error instanceof Error ? error.name : 'unknown' })
    this.#ledger.execute({ type: 'failTurn', generation: run.generation, error: errorOf(error), report: this.report() })
  }

  #charge(run: Run): void {
    const now = this.#host.now()
    this.#meter.addActiveMs(Math.max(0, now - run.chargedAt))
    run.chargedAt = now
  }

  #sendAll(frames: DeltaFrame[]): void {
    for (const frame of frames) this.#send(frame)
  }
}

type Finish = Extract<AgentEvent, { type: 'finish' }>

class AgentUnavailable extends Error {
  override readonly name = 'AgentUnavailable'
  constructor(agent: string) {
    super(`There is no agent named ${agent} on this server.`)
  }
}

/** Words of an error reach people only if it was made for them. */
function errorOf(error: unknown): ErrorBody {
  if (error instanceof AgentError) return refusal('internal', error.message, { retryable: error.retryable })
  if (error instanceof VersionTooNewError) return refusal('version_too_new', error.message)
  if (error instanceof AgentUnavailable) return refusal('agent_unavailable', error.message)
  return refusal('internal', 'The agent stopped with an error.')
}
