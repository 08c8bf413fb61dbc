/** Starts the local server as a newcomer does, as a real process in a group of its own, and looks at what it leaves behind. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach } from 'vitest'

const READY = /Dormouse is ready at (\S+)[\s\S]*Key +(\S+)[\s\S]*Ctrl-C/
const PATIENCE_MS = 90_000

const groups: number[] = []
const folders: string[] = []

afterEach(() => {
  for (const group of groups.splice(0)) signalGroup(group, 'SIGKILL')
})

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'dormouse-'))
  folders.push(folder)
  return folder
}

export interface Run {
  child: ChildProcess
  pid: number
  stdout(): string
  stderr(): string
  /** Exit code, or the signal it died of. */
  ended: Promise<number | string | null>
}

/** Whoever runs the tests may have keys of model providers, which no test may spend. */
const noProviders = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: '', DORMOUSE_MODEL: '' }

export interface RunOptions {
  cwd?: string
  /** Variables that are not there, not even empty. */
  unset?: string[]
}

export function run(script: string, environment: Record<string, string>, { unset = [], ...options }: RunOptions = {}): Run {
  const env: NodeJS.ProcessEnv = { ...process.env, ...noProviders, DORMOUSE_API_KEY: '', ...environment }
  for (const name of unset) delete env[name]
  const child = spawn(process.execPath, [script], { ...options, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const pid = child.pid ?? 0
  groups.push(pid)
  let out = ''
  let errors = ''
  child.stdout.on('data', (bytes) => (out += String(bytes)))
  child.stderr.on('data', (bytes) => (errors += String(bytes)))
  const ended = new Promise<number | string | null>((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)))
  return { child, pid, stdout: () => out, stderr: () => errors, ended }
}

export function start(state: string, port: number, environment: Record<string, string> = {}): Run {
  return run(path.resolve('src/local/start.js'), { DORMOUSE_STATE: state, PORT: String(port), ...environment })
}

export interface Ready {
  url: string
  key: string
  afterMs: number
}

/** What it prints when it is ready; throws what it said when it ended instead. */
export async function ready(server: Run): Promise<Ready> {
  const began = performance.now()
  while (!hasEnded(server) && performance.now() - began < PATIENCE_MS) {
    const match = READY.exec(server.stdout())
    if (match) return { url: match[1] ?? '', key: match[2] ?? '', afterMs: performance.now() - began }
    await sleep(20)
  }
  throw new Error(`the server did not become ready: ${server.stdout()}${server.stderr()}`)
}

function hasEnded({ child }: Run): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whoever still runs in the process group: everything the server started stays in it. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const fields = statOf(pid)
      return fields !== null && fields.group === group && fields.state !== 'Z'
    })
}

export function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
}

function statOf(pid: number): { state: string; group: number } | null {
  try {
    // The command stands in parentheses and may hold spaces; the fields behind it are the state, the parent, the group.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return { state: fields[0] ?? '', group: Number(fields[2]) }
  } catch {
    return null
  }
}

export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // nobody is left
  }
}

export async function accepts(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    () => true,
    () => false,
  )
}
