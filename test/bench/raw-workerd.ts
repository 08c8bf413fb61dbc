/**
 * The server on workerd alone, as a process of its own: started on a state folder, killed without warning, started again.
 * It is killed when this process ends, however it ends short of SIGKILL.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import type { BenchServer } from './bench-server.ts'
import { httpSocket, indexSocket, workerdConfiguration } from './workerd-configuration.ts'

export const root = path.resolve(import.meta.dirname, '../..')
const wrangler = path.join(root, 'node_modules/wrangler/wrangler-dist/cli.js')
const startMs = 30_000

export interface RawWorkerdOptions {
  /** Where its folder is made; the system's folder for temporary files, if left out. */
  below?: string
  /** Port of a debugger, for CPU profiles; none, if left out. */
  inspectorPort?: number
  /** Text bindings beside those that every server needs: a model provider's address, say. */
  variables?: Readonly<Record<string, string>>
  /** Another Worker than the server, by its path below the project's folder; it has to export the same classes. */
  entry?: string
}

export class RawWorkerd implements BenchServer {
  readonly host = '127.0.0.1'
  readonly key = 'key-of-the-operator'
  readonly #folder: string
  readonly #options: RawWorkerdOptions
  #process: ChildProcess | null = null
  #ports = new Map<string, number>()

  private constructor(folder: string, options: RawWorkerdOptions) {
    this.#folder = folder
    this.#options = options
  }

  /** A new server with an empty state. */
  static async start(options: RawWorkerdOptions = {}): Promise<RawWorkerd> {
    const folder = mkdtempSync(path.join(options.below ?? tmpdir(), 'dormouse-bench-'))
    const server = new RawWorkerd(folder, options)
    process.once('exit', () => server.#discard())
    await server.#prepare()
    await server.#run()
    await server.#migrate()
    return server
  }

  port(): number {
    return this.#portOf(httpSocket)
  }

  workerds(): number[] {
    return this.#process?.pid === undefined ? [] : [this.#process.pid]
  }

  logText(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  async restart(): Promise<void> {
    await this.#kill()
    await this.#run()
  }

  async stop(): Promise<void> {
    await this.#kill()
    this.#discard()
  }

  get #logFile(): string {
    return path.join(this.#folder, 'server.log')
  }

  get #configuration(): string {
    return path.join(this.#folder, 'workerd.capnp')
  }

  #portOf(socket: string): number {
    const port = this.#ports.get(socket)
    if (port === undefined) throw new Error(`workerd has not said the port of "${socket}"`)
    return port
  }

  async #prepare(): Promise<void> {
    const at = (name: string) => path.join(this.#folder, name)
    for (const name of ['objects', 'index']) mkdirSync(at(name))
    const configuration = workerdConfiguration({
      worker: await bundle(this.#options),
      wranglerToml: path.join(root, 'wrangler.toml'),
      key: this.key,
      secret: 'secret-of-the-bench',
      variables: this.#options.variables ?? {},
      objects: at('objects'),
      index: at('index'),
    })
    writeFileSync(this.#configuration, configuration, { mode: 0o600 })
  }

  async #run(): Promise<void> {
    const log = openSync(this.#logFile, 'a')
    const inspector = this.#options.inspectorPort === undefined ? [] : [`--inspector-addr=127.0.0.1:${this.#options.inspectorPort}`]
    const arguments_ = ['serve', '--experimental', '--import-path=/', '--control-fd=3', ...inspector, this.#configuration]
    const child = spawn(workerdProgram(), arguments_, { stdio: ['ignore', log, log, 'pipe'] })
    closeSync(log)
    this.#process = child
    this.#ports = await listening(child).catch((error: unknown) => {
      throw new Error(`workerd did not start:\n${this.logText().slice(-4000)}`, { cause: error })
    })
    child.once('exit', (code, signal) => {
      if (this.#process === child) process.stderr.write(`\nworkerd ended by itself (${signal ?? code}):\n${this.logText().slice(-2000)}\n`)
    })
  }

  async #kill(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  #discard(): void {
    this.#process?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The index's tables, from the very files that a deploy would apply. */
  async #migrate(): Promise<void> {
    const folder = path.join(root, 'migrations')
    for (const name of readdirSync(folder).toSorted()) {
      const body = JSON.stringify({ sql: readFileSync(path.join(folder, name), 'utf8') })
      const response = await fetch(`http://${this.host}:${this.#portOf(indexSocket)}/execute`, { method: 'POST', body })
      if (!response.ok) throw new Error(`The migration ${name} failed: ${await response.text()}`)
      await response.arrayBuffer()
    }
  }
}

/** workerd writes a line for each socket when it listens, and serves from then on. */
export function listening(child: ChildProcess): Promise<Map<string, number>> {
  const ports = new Map<string, number>()
  return new Promise((resolve, reject) => {
    const patience = setTimeout(() => reject(new Error(`workerd did not listen within ${startMs} ms`)), startMs)
    child.once('exit', (code) => reject(new Error(`workerd ended with code ${code} before it listened`)))
    createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
      const { event, socket, port } = JSON.parse(line) as { event: string; socket: string; port: number }
      if (event === 'listen') ports.set(socket, port)
      if (!ports.has(httpSocket) || !ports.has(indexSocket)) return
      clearTimeout(patience)
      resolve(ports)
    })
  })
}

const bundled = new Map<string, Promise<string>>()

/** The Worker as one file, as it would be deployed; made once. For a debugger it keeps its names. */
function bundle({ entry = 'src/worker.ts', inspectorPort }: RawWorkerdOptions): Promise<string> {
  const known = bundled.get(entry)
  if (known) return known
  const made = makeBundle(entry, inspectorPort === undefined ? 'production' : '')
  bundled.set(entry, made)
  return made
}

async function makeBundle(entry: string, environment: string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'dormouse-bench-bundle-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' }
  const arguments_ = ['--no-warnings', wrangler, 'deploy', entry, '--dry-run', '--env', environment, '--outdir', folder]
  await promisify(execFile)(process.execPath, arguments_, { cwd: root, env })
  return path.join(folder, `${path.basename(entry, '.ts')}.js`)
}

/** The program itself: npm's launcher would be one more process. */
export function workerdProgram(): string {
  const { default: program } = createRequire(import.meta.url)('workerd') as { default: string }
  return program
}
