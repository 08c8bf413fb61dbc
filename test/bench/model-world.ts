/**
 * A model provider on loopback, in a process of its own, and a server that is configured to ask it: what the figures of model
 * turns are measured with. The provider answers what it was told to, at once, so that only what the server adds is left.
 */
import { calls, says, type Answer } from '../upstream/answer.ts'
import type { RecordedCall } from '../upstream/recorded-call.ts'
import { RunningUpstream } from '../upstream/running-upstream.ts'
import type { BenchServer } from './bench-server.ts'
import { BenchSession } from './bench-session.ts'
import { RawWorkerd } from './raw-workerd.ts'

/** Forty pieces of text without a pause. */
export const fortyPieces: Answer = { pieces: says(...Array.from({ length: 40 }, (_, index) => `word${index} `)) }
/** A call of a tool that does next to nothing and asks nobody. */
export const oneCalculation: Answer = { pieces: calls('calculate', { expression: '6 * 7' }), finishReason: 'tool-calls' }

export class ModelWorld {
  readonly upstream: RunningUpstream
  readonly server: BenchServer
  /** A Worker that does nothing but ask the provider (bare-worker.ts), on a workerd of its own. */
  readonly bare: BenchServer

  private constructor(upstream: RunningUpstream, server: BenchServer, bare: BenchServer) {
    this.upstream = upstream
    this.server = server
    this.bare = bare
  }

  static async start(): Promise<ModelWorld> {
    const upstream = await RunningUpstream.start()
    const variables = {
      OPENAI_BASE_URL: `${upstream.url}/v1`,
      OPENAI_API_KEY: 'key-of-the-bench',
      DORMOUSE_ALLOW_PRIVATE_HOSTS: '127.0.0.1',
    }
    try {
      const bare = await RawWorkerd.start({ variables, entry: 'test/bench/bare-worker.ts' })
      return new ModelWorld(upstream, await RawWorkerd.start({ variables }), bare)
    } catch (error) {
      upstream.stop()
      throw error
    }
  }

  /** From now on the model answers `turn`, one answer for each step, and again for as many turns. */
  async script(model: string, turn: readonly Answer[], turns: number): Promise<void> {
    await this.upstream.script(model, Array.from({ length: turns }, () => turn).flat())
  }

  /** A new session of the assistant, the agent of a fresh server, on this model; attached. */
  session(model: string): Promise<BenchSession> {
    return BenchSession.create(this.server, { agent: 'assistant', model: `openai/${model}` })
  }

  /** What the server has asked of this model so far. */
  calls(model: string): Promise<RecordedCall[]> {
    return this.upstream.calls(model)
  }

  async stop(): Promise<void> {
    this.upstream.stop()
    await Promise.all([this.server.stop(), this.bare.stop()])
  }
}
