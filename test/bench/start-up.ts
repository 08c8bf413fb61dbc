/**
 * CPU time that the Worker takes to start: of a new workerd until it listens, which is after it has evaluated the Worker's
 * top level, less that of a new workerd with an empty Worker. Both are started by turns, in a random order, many times over.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { buildWorker } from '../architecture/bundle-size.ts'
import { shuffled, type Scenario } from './bench.ts'
import type { Figure } from './figure.ts'
import { threadCpuMsOf } from './process-cost.ts'
import { listening, root, workerdProgram } from './raw-workerd.ts'
import { summarize } from './samples.ts'
import { workerdConfiguration } from './workerd-configuration.ts'

const rounds = 20
const emptyWorker = `import { DurableObject } from 'cloudflare:workers'
export class SessionObject extends DurableObject {}
export default { fetch: () => new Response() }
`

export const startUp: Scenario = {
  name: 'start-up',
  async run(bench) {
    bench.progress('start-up: building')
    const { folder, file } = await buildWorker()
    try {
      const lanes = [laneOf(folder, 'empty', writeEmptyWorker(folder)), laneOf(folder, 'whole', file)]
      for (let round = -1; round < rounds; round++) {
        bench.progress(`start-up: round ${Math.max(0, round)} of ${rounds}`)
        for (const lane of shuffled(lanes, bench.random)) {
          const ms = await cpuMsToListen(lane.configuration)
          if (round >= 0) lane.cpuMs.push(ms)
        }
      }
      return figures(lanes.map(({ cpuMs }) => cpuMs))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

interface Lane {
  configuration: string
  cpuMs: number[]
}

function writeEmptyWorker(folder: string): string {
  const file = path.join(folder, 'empty.js')
  writeFileSync(file, emptyWorker)
  return file
}

function laneOf(folder: string, name: string, worker: string): Lane {
  const at = (what: string) => path.join(folder, `${name}-${what}`)
  for (const what of ['objects', 'index']) mkdirSync(at(what))
  const wranglerToml = path.join(root, 'wrangler.toml')
  const parts = { worker, wranglerToml, key: 'key', secret: 'secret', variables: {}, objects: at('objects'), index: at('index') }
  writeFileSync(at('workerd.capnp'), workerdConfiguration(parts))
  return { configuration: at('workerd.capnp'), cpuMs: [] }
}

async function cpuMsToListen(configuration: string): Promise<number> {
  const arguments_ = ['serve', '--experimental', '--import-path=/', '--control-fd=3', configuration]
  const child = spawn(workerdProgram(), arguments_, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  try {
    await listening(child)
    return threadCpuMsOf(child.pid ?? 0)
  } finally {
    await ended(child)
    process.off('exit', kill)
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  return exited
}

function figures([empty = [], whole = []]: number[][]): Figure[] {
  const base = summarize(empty)
  const samples = summarize(whole.map((ms) => ms - base.p50))
  const note = `CPU until workerd listens, less the ${base.p50.toFixed(0)} ms of an empty Worker (both p50); minified, all threads`
  return [{ name: 'start-up CPU of the Worker', value: samples.p50, unit: 'ms', bar: null, note, samples }]
}
