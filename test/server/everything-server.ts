/** The example server of the Model Context Protocol, as a process of its own, over streamable HTTP. */
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './running-server.ts'

const program = path.resolve(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const readyMs = 20_000

export class EverythingServer {
  readonly host: string
  readonly url: string
  readonly #process: ChildProcess

  private constructor(port: number) {
    this.host = `127.0.0.1:${port}`
    this.url = `http://${this.host}/mcp`
    this.#process = spawn(process.execPath, [program, 'streamableHttp'], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  }

  static async start(): Promise<EverythingServer> {
    const server = new EverythingServer(await freePort())
    const deadline = Date.now() + readyMs
    // It refuses a request without a session, and that is an answer.
    while (!(await isAnswered(server.url))) {
      if (Date.now() > deadline) throw new Error('The example server did not answer')
      await sleep(50)
    }
    return server
  }

  stop(): void {
    this.#process.kill('SIGKILL')
  }
}

function isAnswered(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.body?.cancel().then(() => true) ?? true,
    () => false,
  )
}
