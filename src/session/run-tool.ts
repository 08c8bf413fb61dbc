/**
 * One tool call, behind its durable `tool.started`. Whatever comes of it becomes its result: an output, an error that the
 * model reads, or the news that it took too long. Only a turn that was ended gets none.
 */
import type { AgentRegistry } from '../agents/agent.ts'
import { ToolError, type Tool, type ToolAnswer } from '../agents/tools/tool.ts'
import type { ToolOutcome, TurnReport } from '../core/command.ts'
import type { RunToolEffect } from '../core/pending-effects.ts'
import type { OpenCall } from '../core/state.ts'
import { isDenied } from '../core/tool-policy.ts'
import type { ToolCallPart } from '../protocol/message.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { orAborted } from './abortable.ts'
import type { Ledger } from './commit.ts'
import type { Flight } from './flight.ts'
import type { Host } from './host.ts'
import { eventAt } from './read-log.ts'
import { readNotes } from './read-notes.ts'
import { ResultBatch } from './result-batch.ts'
import { boundOutput } from './tool-output.ts'
import { inputHashOf } from './verdicts.ts'

type ToolFlight = Flight<RunToolEffect>

export class ToolRunner {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #store: SessionStore
  readonly #agents: AgentRegistry
  readonly #results: ResultBatch

  constructor(host: Host, ledger: Ledger, store: SessionStore, agents: AgentRegistry, report: () => TurnReport) {
    this.#host = host
    this.#ledger = ledger
    this.#store = store
    this.#agents = agents
    this.#results = new ResultBatch(host, ledger, report)
  }

  /** Ends in a commit, unless the turn ended first. */
  async run(flight: ToolFlight): Promise<void> {
    const result = await this.#outcome(flight)
    if (flight.isCurrent()) await this.#results.add({ flight, ...result })
  }

  async #outcome(flight: ToolFlight): Promise<{ outcome: ToolOutcome; whole: string | null }> {
    try {
      const { call, part } = this.#find(flight.effect)
      const tool = await this.#tool(flight, call)
      this.#checkApproval(call, part)
      const answer = await this.#answer(flight, tool, part)
      const { output, bytes, whole } = boundOutput(answer.output, tool.maxOutputBytes)
      const outcome = { output, ...(bytes !== null && { bytes }), isError: answer.isError ?? false, notes: answer.notes ?? [] }
      return { outcome, whole }
    } catch (error) {
      return { outcome: { output: this.#failureText(flight, error), isError: true, notes: [] }, whole: null }
    }
  }

  #find({ toolCallId }: RunToolEffect): { call: OpenCall; part: ToolCallPart } {
    const call = this.#ledger.state?.active?.calls.find((open) => open.toolCallId === toolCallId)
    const event = call ? eventAt(this.#store, call.callSeq) : null
    const parts = event?.type === 'message.completed' ? event.message.parts : []
    const part = parts.find((each): each is ToolCallPart => each.type === 'tool-call' && each.toolCallId === toolCallId)
    if (!call || !part) throw new Error('A call that runs is not in the log')
    return { call, part }
  }

  async #tool({ signal, limitTime }: ToolFlight, { toolName }: OpenCall): Promise<Tool> {
    const state = this.#ledger.state
    const active = state?.active
    if (!state || !active) throw new Error('A tool outlived its turn')
    const choice = { version: active.agentVersion, model: state.model }
    const agent = await orAborted(this.#agents.resolve(active.agent, choice), signal)
    limitTime(state.settings.budgets?.seconds ?? agent?.budgets.seconds)
    const tools = agent && (await orAborted(agent.tools(), signal))
    // What was denied since it was asked for, or started, is denied (rule TOOL5).
    if (agent && isDenied(toolName, state.settings, agent.policies)) throw new ToolError('Not run: a policy denies this tool.')
    const tool = tools?.get(toolName)
    if (!tool) throw new ToolError(`Not run: the tool ${toolName} is not available now.`)
    return tool
  }

  /** What a person allowed is what runs (rule APR4). */
  #checkApproval({ approval }: OpenCall, { toolName, input }: ToolCallPart): void {
    if (!approval) return
    const event = eventAt(this.#store, approval.requestedSeq)
    const shown = event?.type === 'approval.requested' ? event.approval.inputHash : null
    if (shown !== inputHashOf(toolName, input)) throw new ToolError('Not run: its arguments are not those that were allowed.')
  }

  async #answer(flight: ToolFlight, tool: Tool, { toolCallId, input }: ToolCallPart): Promise<ToolAnswer> {
    const { sessionId, notes } = this.#session()
    const abort = new AbortController()
    const stop = () => abort.abort(flight.signal.reason)
    flight.signal.addEventListener('abort', stop, { once: true })
    const tooLong = new ToolError(`The tool did not finish within ${tool.timeoutMs / 1000} s, and was stopped.`)
    const cancelTimer = this.#host.timer(tool.timeoutMs, () => abort.abort(tooLong))
    const { turnId } = flight.effect
    const { signal } = abort
    try {
      const call = { toolCallId, sessionId, turnId, notes, signal, now: () => this.#host.now() }
      return await orAborted(tool.run(input, call), signal)
    } finally {
      cancelTimer()
      flight.signal.removeEventListener('abort', stop)
    }
  }

  #session() {
    const state = this.#ledger.state
    if (!state) throw new Error('A tool outlived its session')
    return { sessionId: state.sessionId, notes: readNotes(this.#store, state) }
  }

  /** Words of an error reach the model only if it was made for it. */
  #failureText({ effect, isCurrent }: ToolFlight, error: unknown): string {
    if (error instanceof ToolError) return error.message
    const name = error instanceof Error ? error.name : 'unknown'
    if (isCurrent()) this.#host.log({ event: 'tool.failed', level: 'warn', turnId: effect.turnId, error: name })
    return error instanceof Error && error.name === 'AgentError' ? error.message : 'The tool stopped with an error.'
  }
}
