/**
 * `npm run bench -- [--only NAME]… [--out FOLDER] [--seed N] [--state FOLDER] [--inspect PORT]`: measures the figures of the product on this machine, in about
 * seven minutes, as a table and as JSON. It starts and stops its own servers. Figures of one run may be compared with each
 * other; those of two machines, or of a machine that does something else meanwhile, may not. It is no test: a bar that is
 * not met is told, and the exit code stays 0.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Bench, type Scenario } from './bench.ts'
import { broadcast } from './broadcast.ts'
import { bundle } from './bundle.ts'
import { coldAttach } from './cold-attach.ts'
import type { Figure } from './figure.ts'
import { hibernationMemory } from './hibernation-memory.ts'
import { clearProgress, progress } from './progress-line.ts'
import { jsonOf, machine, tableOf, unmetOf, versions, type Run } from './report.ts'
import { firstDelta } from './first-delta.ts'
import { startUp } from './start-up.ts'
import { stepOverhead } from './step-overhead.ts'
import { stepRows } from './step-rows.ts'
import { turnBytes } from './turn-bytes.ts'
import { turnLatency } from './turn-latency.ts'
import { turnRate } from './turn-rate.ts'

/** Cold attach first: it adds no messages to the sessions it shares with the others. */
const scenarios: Scenario[] = [
  coldAttach,
  turnLatency,
  turnBytes,
  turnRate,
  broadcast,
  hibernationMemory,
  stepOverhead,
  firstDelta,
  stepRows,
  bundle,
  startUp,
]

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    out: { type: 'string', default: 'bench-results' },
    seed: { type: 'string', default: '1' },
    inspect: { type: 'string' },
    state: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
// Half a turn's time would go into the disk of this machine, which no deployed object has: state is kept in memory where
// the system offers that. Turns a second are measured on the disk as well.
const diskFolder = tmpdir()
const stateFolder = mkdtempSync(path.join(values.state, 'dormouse-bench-'))
process.once('exit', () => rmSync(stateFolder, { recursive: true, force: true }))
process.env.TMPDIR = stateFolder
await main()

async function main(): Promise<void> {
  const chosen = choose(values.only)
  const startedAt = new Date()
  const seed = Number(values.seed)
  tellMachine()
  const figures = await measure(
    chosen,
    new Bench({ seed, diskFolder, progress, ...(values.inspect && { inspectorPort: Number(values.inspect) }) }),
  )
  const run = {
    seed,
    state: values.state,
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    figures,
  }
  const file = save(run, values.out)
  const unmet = unmetOf(Object.values(figures).flat())
  console.log(`\n${run.seconds} s, seed ${seed}; ${unmet.length === 0 ? 'every bar is met' : `bars not met: ${unmet.length}`}. ${file}`)
}

function choose(names: string[] | undefined): Scenario[] {
  if (names === undefined) return scenarios
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown.length === 0) return scenarios.filter(({ name }) => names.includes(name))
  console.error(`There is no scenario named ${unknown.join(', ')}. There are: ${scenarios.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}

async function measure(chosen: Scenario[], bench: Bench): Promise<Record<string, Figure[]>> {
  const figures: Record<string, Figure[]> = {}
  try {
    for (const scenario of chosen) {
      const result = (await scenario.run(bench)).filter(({ value }) => !Number.isNaN(value))
      figures[scenario.name] = result
      clearProgress()
      console.log(`\n${scenario.name}\n${tableOf(result)}`)
    }
  } finally {
    await bench.stop()
  }
  return figures
}

function tellMachine(): void {
  const { processor, processors, load } = machine()
  const { node, workerd, wrangler } = versions()
  console.log(
    `${processors} × ${processor}, load ${load.toFixed(1)} before the run; node ${node}, workerd ${workerd}, wrangler ${wrangler}`,
  )
  console.log(
    'Client and server share these processors. Raw workerd: the deployed bundle on workerd alone, with D1 as wrangler simulates it.',
  )
  console.log(`The servers keep their state in ${values.state}.`)
}

function save(run: Run, folder: string): string {
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, `${run.startedAt.replace(/[:.]/g, '-')}.json`)
  writeFileSync(file, jsonOf(run))
  return file
}
