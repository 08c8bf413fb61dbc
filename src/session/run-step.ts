/**
 * One step of a turn: one model call, from the context to the commit of what was said. A call that is cut is made again, under
 * a new message id if anything of it was heard, so that nobody sees doubled words; how often is bounded.
 */
import { AgentError, type Agent, type AgentEvent, type AgentRegistry, type StepRequest } from '../agents/agent.ts'
import type { ToolSet } from '../agents/tools/tool.ts'
import type { TurnReport } from '../core/command.ts'
import { contextTokens, resizeWindow } from '../core/context-window.ts'
import { currentMessageId } from '../core/end-turn.ts'
import type { RunStepEffect } from '../core/pending-effects.ts'
import { noTokenUsage, type ActiveTurn, type SessionState } from '../core/state.ts'
import { messageIdAt } from '../protocol/ids.ts'
import type { Message } from '../protocol/message.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { orAborted, sleepUntilAborted, untilAborted } from './abortable.ts'
import type { Ledger } from './commit.ts'
import type { ContextMemory } from './context-memory.ts'
import { errorOf, type Flight } from './flight.ts'
import type { Host } from './host.ts'
import { MessageAssembly } from './message-assembly.ts'
import { readNotes } from './read-notes.ts'
import { readInstructions } from './read-session.ts'
import { readInput } from './read-turns.ts'
import type { Speech } from './speech.ts'
import { verdictsOf } from './verdicts.ts'
import { Watchdog } from './watchdog.ts'

/** UTF-16 units that may leave before the loop lets sockets drain. */
const burstUnits = 128 * 1024
/** Calls of one step that said nothing, before the turn fails. */
const maxSilentTries = 4
const firstRetryMs = 500
/** A provider that wants to be left alone for longer gets no second call in this turn. */
const maxRetryWaitMs = 60_000

type StepFlight = Flight<RunStepEffect>
type Finish = Extract<AgentEvent, { type: 'finish' }>

/** All that one attempt needs, found when it begins. */
interface Attempt {
  agent: Agent
  tools: ToolSet
  state: SessionState
  active: ActiveTurn
  assembly: MessageAssembly
  abort: AbortController
}

export class StepRunner {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #store: SessionStore
  readonly #agents: AgentRegistry
  readonly #memory: ContextMemory
  readonly #speech: Speech
  readonly #report: () => TurnReport

  constructor(
    host: Host,
    ledger: Ledger,
    store: SessionStore,
    agents: AgentRegistry,
    memory: ContextMemory,
    speech: Speech,
    report: () => TurnReport,
  ) {
    this.#host = host
    this.#ledger = ledger
    this.#store = store
    this.#agents = agents
    this.#memory = memory
    this.#speech = speech
    this.#report = report
  }

  /** Ends in a commit, or with a throw that fails the turn. */
  async run(flight: StepFlight): Promise<void> {
    for (let tries = 1; flight.isCurrent(); tries++) {
      try {
        return await this.#attempt(flight)
      } catch (error) {
        if (!flight.isCurrent()) return
        await this.#beforeRetry(flight, error, tries)
      }
    }
  }

  async #attempt(flight: StepFlight): Promise<void> {
    const found = await this.#agent(flight)
    if (!flight.isCurrent()) return
    const attempt = { ...found, ...this.#begin(flight), abort: new AbortController() }
    this.#speech.begin(flight.effect.generation, attempt.assembly)
    const finish = await this.#listen(flight, attempt)
    if (finish && flight.isCurrent()) this.#finish(flight, attempt, finish)
  }

  async #agent({ effect, signal, limitTime }: StepFlight): Promise<{ agent: Agent; tools: ToolSet }> {
    const { state, active } = this.#speaker(effect)
    const choice = { version: active.agentVersion, model: state.model }
    const agent = await orAborted(this.#agents.resolve(active.agent, choice), signal)
    if (!agent) throw new AgentError(`There is no agent named ${active.agent} on this server.`, { code: 'agent_unavailable' })
    limitTime(state.settings.budgets?.seconds ?? agent.budgets.seconds)
    return { agent, tools: await orAborted(agent.tools(), signal) }
  }

  /** After the last await before the words: what was steered meanwhile is in the context. */
  #begin({ effect }: StepFlight): Pick<Attempt, 'state' | 'active' | 'assembly'> {
    const { state, active } = this.#speaker(effect)
    return { state, active, assembly: new MessageAssembly(effect.turnId, currentMessageId(active), state.head) }
  }

  /** Null: the turn was ended while the agent spoke. */
  async #listen(flight: StepFlight, attempt: Attempt): Promise<Finish | null> {
    const { agent, abort } = attempt
    const stop = () => abort.abort(flight.signal.reason)
    flight.signal.addEventListener('abort', stop, { once: true })
    const { stepMs: totalMs, firstMs, stallMs: silentMs } = agent.timeouts
    const watchdog = new Watchdog(this.#host, { totalMs, firstMs, silentMs }, (why) => abort.abort(timedOut(why, agent)))
    const words = agent.step(this.#request(attempt))[Symbol.asyncIterator]()
    try {
      return await this.#hear(flight, attempt, untilAborted(words, abort.signal), watchdog)
    } finally {
      watchdog.stop()
      flight.signal.removeEventListener('abort', stop)
      // Whoever was cut short in mid-sentence is told to stop; nobody waits until it has.
      void words.return?.()?.catch(() => {})
    }
  }

  async #hear(
    flight: StepFlight,
    attempt: Attempt,
    words: Pick<AsyncIterator<AgentEvent>, 'next'>,
    watchdog: Watchdog,
  ): Promise<Finish | null> {
    const { assembly, abort } = attempt
    let burst = 0
    for (;;) {
      const next = await words.next()
      if (!flight.isCurrent()) return null
      if (next.done) return { type: 'finish', finishReason: 'stop', usage: noTokenUsage }
      if (next.value.type === 'finish') return next.value
      watchdog.heard()
      const before = assembly.units
      this.#speech.say(next.value)
      if (assembly.isFull) {
        abort.abort(new Error('The message has reached its largest size.'))
        return { type: 'finish', finishReason: 'length', usage: noTokenUsage }
      }
      burst += assembly.units - before
      if (burst < burstUnits) continue
      burst = 0
      await sleepUntilAborted(this.#host, 1, abort.signal)
    }
  }

  #finish(flight: StepFlight, { agent, tools, assembly }: Attempt, { finishReason, usage, model }: Finish): void {
    const { state } = this.#speaker(flight.effect)
    this.#speech.end()
    const calls = verdictsOf(assembly.calls(), { agent, tools, settings: state.settings })
    const report = this.#report()
    flight.land()
    this.#ledger.execute({
      type: 'finishStep',
      generation: flight.effect.generation,
      contextSeq: assembly.contextSeq,
      parts: assembly.said(),
      model: model ?? null,
      agentVersion: agent.version,
      window: agent.window,
      finishReason,
      usage,
      calls,
      final: finishReason !== 'steered',
      budgets: { ...agent.budgets, ...state.settings.budgets },
      report,
    })
  }

  /** Returns when the step may be tried once more; throws when it may not. */
  async #beforeRetry(flight: StepFlight, error: unknown, tries: number): Promise<void> {
    const retryAfterMs = error instanceof AgentError ? error.retryAfterMs : null
    if (retryAfterMs === null || retryAfterMs > maxRetryWaitMs) throw error
    const hasSpoken = this.#speech.assembly?.hasSpoken ?? false
    if (!hasSpoken && tries >= maxSilentTries) throw error
    const { turnId, generation } = flight.effect
    const { name } = error as AgentError
    this.#host.log({ event: 'step.retried', level: 'warn', turnId, tries, hasSpoken, error: name })
    await sleepUntilAborted(this.#host, Math.max(retryAfterMs, this.#backoffMs(tries)), flight.signal).catch(() => {})
    if (!flight.isCurrent() || !hasSpoken) return
    const report = this.#report()
    this.#speech.drop()
    flight.land()
    this.#ledger.execute({ type: 'retryStep', generation, error: errorOf(error), report })
  }

  /** Doubles with every try, and is drawn from its upper half, so that sessions which failed together do not come back together. */
  #backoffMs(tries: number): number {
    const fraction = (this.#host.entropy(1).charCodeAt(0) % 32) / 32
    return firstRetryMs * 2 ** (tries - 1) * (0.5 + fraction / 2)
  }

  #speaker({ generation }: RunStepEffect): { state: SessionState; active: ActiveTurn } {
    const state = this.#ledger.state
    const active = state?.active
    if (!state || active?.generation !== generation) throw new Error('A step outlived its generation')
    return { state, active }
  }

  #request({ agent, tools, state, active, abort }: Attempt): StepRequest {
    const { turnId } = active
    const sized = { ...state, context: resizeWindow(state.context, agent.window) }
    const steered = active.steers.map((steer) => this.#steeredMessage(state, turnId, steer.seq))
    return {
      sessionId: state.sessionId,
      turnId,
      step: active.steps + 1,
      instructions: readInstructions(this.#store, state),
      context: [...this.#memory.messages(sized), ...steered],
      contextTokens: contextTokens(sized.context) + active.steers.reduce((sum, { tokens }) => sum + tokens, 0),
      notes: readNotes(this.#store, state),
      tools,
      steered,
      steerWaiting: () => (this.#ledger.state?.active?.steers.length ?? 0) > active.steers.length,
      signal: abort.signal,
      sleep: (ms: number) => sleepUntilAborted(this.#host, ms, abort.signal),
    }
  }

  #steeredMessage({ lastAt }: SessionState, turnId: string, seq: number): Message {
    const parts = readInput(this.#store, [seq])
    return { id: messageIdAt(seq, 0, turnId), seq, turnId, role: 'user', parts, createdAt: lastAt }
  }
}

function timedOut(why: 'total' | 'silent', { timeouts }: Agent): AgentError {
  const message = why === 'total' ? `The model did not finish within ${timeouts.stepMs / 1000} s.` : 'The model was silent for too long.'
  return new AgentError(message, { code: 'agent_unavailable', retryable: true, retryAfterMs: 0 })
}
