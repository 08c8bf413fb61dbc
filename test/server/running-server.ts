/**
 * The real server as a process, with a state folder of its own: started, killed without warning, started again on the same
 * state, cleaned away. The Worker is bundled before the first start, so that neither a restart nor an edit of the sources
 * in the middle of a test changes what runs.
 *
 * - Wrangler and its two runtime processes are one process group, and always die together.
 * - A server never outlives whoever started it: its leader is a shell that kills the group when its standard input ends.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const root = path.resolve(import.meta.dirname, '../..')
// Its launcher would be one more process, which a killed launcher leaves behind.
const wrangler = path.join(root, 'node_modules/wrangler/wrangler-dist/cli.js')
const readyMs = 90_000
const deadMs = 10_000
const run = promisify(execFile)

const environment = {
  ...process.env,
  FORCE_COLOR: '0',
  // No network is asked for what a request's `cf` would be.
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_WRITE_LOGS: 'false',
}

/** A line of the server's log that is one of its own: JSON with the name of what happened. */
export interface LogLine {
  event: string
  level?: string
  sessionId?: string
  [field: string]: unknown
}

export interface ServerOptions {
  /** Besides the two secrets that every server has: keys of model providers, and what else a server may be told. */
  variables?: Record<string, string>
}

export class RunningServer {
  readonly url: string
  readonly key = 'key-of-the-operator'
  /** Holds the bundle, the configuration, the data and the log. */
  readonly folder: string
  readonly #port: number
  readonly #variables: Record<string, string>
  #leader: ChildProcess | null = null

  private constructor(folder: string, port: number, { variables = {} }: ServerOptions) {
    this.folder = folder
    this.#variables = variables
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
  }

  /** A new server with an empty state; resolves when it answers. */
  static async start(options: ServerOptions = {}): Promise<RunningServer> {
    const folder = mkdtempSync(path.join(tmpdir(), 'dormouse-server-'))
    const server = new RunningServer(folder, await freePort(), options)
    try {
      await server.#prepare()
      await server.restart()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  /** The process group that all of the server's processes are in; null while it is down. */
  get processGroup(): number | null {
    return this.#leader?.pid ?? null
  }

  /** Starts again on the state that is there; resolves when it answers. */
  async restart(): Promise<void> {
    if (this.#leader) throw new Error('The server is running')
    const log = openSync(this.#logFile, 'a')
    // Wrangler runs in the background, so that the shell sees the end of its input, which is the end of this process.
    const script = '"$@" & cat > /dev/null; kill -KILL 0'
    this.#leader = spawn('sh', ['-c', script, 'sh', process.execPath, '--no-warnings', wrangler, ...this.#devArguments()], {
      cwd: this.folder,
      detached: true,
      env: environment,
      stdio: ['pipe', log, log],
    })
    closeSync(log)
    await this.#ready()
  }

  /** SIGKILL to the whole group; resolves when nothing of it runs. */
  async kill(): Promise<void> {
    const leader = this.#leader
    if (!leader?.pid) return
    this.#leader = null
    const exited = new Promise((resolve) => leader.once('exit', resolve))
    signalGroup(leader.pid, 'SIGKILL')
    await exited
    const deadline = Date.now() + deadMs
    while (isGroupAlive(leader.pid) && Date.now() < deadline) await sleep(5)
  }

  /** Kills it and removes its state. */
  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** What the server's own code has logged since the first start, oldest first. */
  logLines(): LogLine[] {
    return this.logText()
      .split('\n')
      .filter((line) => line.startsWith('{"') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine)
  }

  logText(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  get #logFile(): string {
    return path.join(this.folder, 'server.log')
  }

  async #prepare(): Promise<void> {
    const at = (name: string) => path.join(this.folder, name)
    const secrets = { DORMOUSE_API_KEY: this.key, DORMOUSE_SECRET: 'secret-of-the-tests', ...this.#variables }
    copyFileSync(path.join(root, 'wrangler.toml'), at('wrangler.toml'))
    const lines = Object.entries(secrets).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
    writeFileSync(at('secrets.env'), lines.join(''), { mode: 0o600 })
    await Promise.all([
      runWrangler(['deploy', '--dry-run', '--env', '', '--outdir', at('bundle')]),
      runWrangler(['d1', 'migrations', 'apply', 'INDEX', '--local', '--persist-to', at('data')]),
    ])
  }

  #devArguments(): string[] {
    const address = ['--ip', '127.0.0.1', '--port', String(this.#port), '--inspector-port', '0']
    const files = ['--config', 'wrangler.toml', '--env-file', 'secrets.env', '--persist-to', 'data']
    return ['dev', 'bundle/worker.js', '--no-bundle', ...address, ...files, '--show-interactive-dev-session=false']
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + readyMs
    while (!(await isHealthy(this.url))) {
      if (Date.now() > deadline) throw new Error(`The server did not answer within ${readyMs} ms:\n${this.logText().slice(-4000)}`)
      await sleep(50)
    }
  }
}

async function runWrangler(args: string[]): Promise<void> {
  await run(process.execPath, ['--no-warnings', wrangler, ...args], { cwd: root, env: environment })
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/** False when there is no process in the group. */
function signalGroup(group: number, signal: 'SIGKILL' | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

/** The dead whom nobody has buried yet are still in their group; only /proc tells them from the living. */
function isGroupAlive(group: number): boolean {
  if (!existsSync('/proc/self/stat')) return signalGroup(group, 0)
  return readdirSync('/proc').some((name) => /^\d+$/.test(name) && isAliveIn(group, name))
}

function isAliveIn(group: number, pid: string): boolean {
  try {
    // After the command in parentheses: state, parent, group.
    const [state, , of] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return Number(of) === group && state !== 'Z'
  } catch {
    return false // it ended while we looked
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
