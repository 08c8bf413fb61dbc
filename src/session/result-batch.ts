/**
 * Results of tools that run side by side and end almost together share a commit, and so a row. A result never waits when
 * nothing else runs, and a few milliseconds at most when something does.
 */
import type { ToolOutcome, TurnReport } from '../core/command.ts'
import type { RunToolEffect } from '../core/pending-effects.ts'
import type { Ledger } from './commit.ts'
import type { Flight } from './flight.ts'
import type { Host } from './host.ts'

const joinMs = 5

export interface ToolResult {
  flight: Flight<RunToolEffect>
  outcome: ToolOutcome
  /** Of an output too large for the log; null: the outcome has all of it. */
  whole: string | null
}

interface Waiting extends ToolResult {
  resolve: () => void
  reject: (error: unknown) => void
}

export class ResultBatch {
  readonly #host: Host
  readonly #ledger: Ledger
  readonly #report: () => TurnReport
  readonly #waiting: Waiting[] = []
  #cancelTimer: (() => void) | null = null

  constructor(host: Host, ledger: Ledger, report: () => TurnReport) {
    this.#host = host
    this.#ledger = ledger
    this.#report = report
  }

  /** Resolves when the result is durable, or its turn has ended. */
  add(result: ToolResult): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...result, resolve, reject })
      if (this.#othersRun()) this.#cancelTimer ??= this.#host.timer(joinMs, () => this.#commit())
      else this.#commit()
    })
  }

  #othersRun(): boolean {
    const started = this.#ledger.state?.active?.calls.filter(({ status }) => status === 'started') ?? []
    const ended = new Set(this.#waiting.map(({ flight }) => flight.effect.toolCallId))
    return started.some(({ toolCallId }) => !ended.has(toolCallId))
  }

  #commit(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    const results = this.#waiting.splice(0)
    try {
      this.#store(results.filter(({ flight }) => flight.isCurrent()))
      for (const { resolve } of results) resolve()
    } catch (error) {
      for (const { reject } of results) reject(error)
    }
  }

  #store(results: readonly ToolResult[]): void {
    const report = this.#report()
    const commands = results.map(({ flight: { effect }, outcome }) => {
      const { generation, toolCallId } = effect
      return { type: 'finishTool' as const, generation, toolCallId, outcome, report }
    })
    const outputs = new Map(results.flatMap(({ flight, whole }) => (whole === null ? [] : [[flight.effect.toolCallId, whole] as const])))
    for (const { flight } of results) flight.land()
    this.#ledger.executeTogether(commands, outputs)
  }
}
