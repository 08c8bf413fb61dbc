/** The server as a developer has it on a laptop: under `wrangler dev`, whose proxy stands in front of the runtime. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { RunningServer } from '../server/running-server.ts'
import type { BenchServer } from './bench-server.ts'

export class WranglerDev implements BenchServer {
  readonly host = '127.0.0.1'
  readonly key: string
  readonly #server: RunningServer

  private constructor(server: RunningServer) {
    this.#server = server
    this.key = server.key
  }

  static async start(): Promise<WranglerDev> {
    return new WranglerDev(await RunningServer.start())
  }

  port(): number {
    return Number(new URL(this.#server.url).port)
  }

  /** All that run in its process group: one is the proxy, the other our Worker. */
  workerds(): number[] {
    const group = this.#server.processGroup
    if (!existsSync('/proc/self/stat')) return []
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => isWorkerdOf(group, pid))
  }

  logText(): string {
    return this.#server.logText()
  }

  async restart(): Promise<void> {
    await this.#server.kill()
    await this.#server.restart()
  }

  stop(): Promise<void> {
    return this.#server.stop()
  }
}

function isWorkerdOf(group: number | null, pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.includes('(workerd)') && Number(stat.split(') ').at(-1)?.split(' ')[2]) === group
  } catch {
    return false // it ended while we looked
  }
}
