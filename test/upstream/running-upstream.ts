/** The upstream as a process of its own, and what a test tells and asks it. */
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './answer.ts'
import type { RecordedCall } from './recorded-call.ts'

const pollMs = 10
const patienceMs = 20_000

export class RunningUpstream {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(url: string, child: ChildProcess) {
    this.url = url
    this.#process = child
  }

  static async start(): Promise<RunningUpstream> {
    const script = path.join(import.meta.dirname, 'run.ts')
    const child = spawn(process.execPath, [script, '--port', '0', '--until-eof'], { stdio: ['pipe', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: child.stdout })) return new RunningUpstream(line, child)
    throw new Error(`The upstream ended before it listened, with ${child.exitCode}`)
  }

  stop(): void {
    this.#process.kill('SIGKILL')
  }

  /** What the model answers from now on, one call after the other; after that it refuses. */
  async script(model: string, answers: Answer[]): Promise<void> {
    await this.#ask('POST', '/script', { model, answers })
  }

  /** Lets whoever waits at the gate go on, now and ever after. */
  async release(gate: string): Promise<void> {
    await this.#ask('POST', '/release', { gate })
  }

  /** Calls of one model, oldest first. */
  async calls(model: string): Promise<RecordedCall[]> {
    return (await this.#ask('GET', `/requests?model=${encodeURIComponent(model)}`)) as RecordedCall[]
  }

  async allCalls(): Promise<RecordedCall[]> {
    return (await this.#ask('GET', '/requests')) as RecordedCall[]
  }

  /** Resolves when an answer waits at the gate. */
  async reached(model: string, gate: string): Promise<void> {
    await this.until(model, gate, (calls) => calls.some(({ holdingAt }) => holdingAt === gate))
  }

  /** Resolves with the calls of the model as soon as they are as they should be. */
  async until(model: string, what: string, isSo: (calls: RecordedCall[]) => boolean): Promise<RecordedCall[]> {
    const deadline = Date.now() + patienceMs
    for (;;) {
      const calls = await this.calls(model)
      if (isSo(calls)) return calls
      if (Date.now() > deadline) throw new Error(`The upstream never saw ${what} of ${model}: ${JSON.stringify(calls)}`)
      await sleep(pollMs)
    }
  }

  async #ask(method: string, pathname: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.url + pathname, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
    if (!response.ok) throw new Error(`${method} ${pathname}: ${response.status} ${await response.text()}`)
    return (await response.json()) as unknown
  }
}
