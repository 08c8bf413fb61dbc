/** How a run is told: a table for people, JSON for whoever compares runs. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import type { Figure } from './figure.ts'

export interface Run {
  seed: number
  /** The folder of the servers' state. */
  state: string
  startedAt: string
  seconds: number
  figures: Record<string, Figure[]>
}

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [figure.name, valueOf(figure), figure.bar?.text ?? '', metOf(figure), figure.note ?? ''])
  const all = [['figure', 'value', 'bar', '', 'note'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function unmetOf(figures: readonly Figure[]): Figure[] {
  return figures.filter(({ bar }) => bar !== null && !bar.met)
}

export function jsonOf(run: Run): string {
  return `${JSON.stringify({ ...run, machine: machine(), versions: versions() }, null, 2)}\n`
}

/** Other work on the machine disturbs the figures: the load says how much there was. */
export function machine() {
  const [load] = loadavg()
  const processors = cpus()
  return {
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    load: load ?? 0,
  }
}

export function versions() {
  const resolve = createRequire(import.meta.url).resolve
  const versionOf = (name: string) => (JSON.parse(readFileSync(resolve(`${name}/package.json`), 'utf8')) as { version: string }).version
  return { node: process.versions.node, workerd: versionOf('workerd'), wrangler: versionOf('wrangler') }
}

function valueOf({ value, unit }: Figure): string {
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 2
  return `${value.toFixed(digits)} ${unit}`.trim()
}

function metOf({ bar }: Figure): string {
  if (bar === null) return ''
  return bar.met ? 'met' : 'NOT MET'
}
