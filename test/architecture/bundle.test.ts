/**
 * What is deployed, weighed as it is deployed: bundled by wrangler's dry run, minified, gzip at its best. Imports that wait until
 * they are needed count for the whole, not for the start.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './source-files.ts'

const maxBytes = 250 * 1024
const maxStartBytes = 60 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'dormouse-bundle-'))
const wrangler = path.join(root, 'node_modules/wrangler/wrangler-dist/cli.js')
const environment = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false', WRANGLER_HIDE_BANNER: 'true' }

interface Metafile {
  inputs: Record<string, { imports: { path: string; kind: string; original?: string; external?: boolean }[] }>
}

interface Bundle {
  bytes: number
  metafile: Metafile
}

async function bundle(name: string, ...options: string[]): Promise<Bundle> {
  const out = path.join(folder, name)
  const metafile = path.join(out, 'meta.json')
  const args = ['deploy', '--dry-run', '--env', 'production', '--outdir', out, '--metafile', metafile, ...options]
  await promisify(execFile)(process.execPath, ['--no-warnings', wrangler, ...args], { cwd: root, env: environment })
  const bytes = gzipSync(readFileSync(path.join(out, 'worker.js')), { level: 9 }).length
  return { bytes, metafile: JSON.parse(readFileSync(metafile, 'utf8')) as Metafile }
}

/** As they are written: what `import('…')` names anywhere. */
function lazyImportsOf({ inputs }: Metafile): string[] {
  const lazy = Object.values(inputs).flatMap(({ imports }) => imports.filter(({ kind }) => kind === 'dynamic-import'))
  return [...new Set(lazy.map(({ original, path: place }) => original ?? place))]
}

let whole: Bundle
let start: Bundle

beforeAll(async () => {
  whole = await bundle('whole')
  const nothing = path.join(folder, 'nothing.js')
  writeFileSync(nothing, 'export {}\n')
  const aliases = lazyImportsOf(whole.metafile).flatMap((specifier) => ['--alias', `${specifier}:${nothing}`])
  start = await bundle('start', ...aliases)
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the bundle', () => {
  it('[ARC5] takes 250 KiB at most', () => {
    expect(whole.bytes).toBeLessThanOrEqual(maxBytes)
  })

  it('[ARC5] reaches 60 KiB at most without a lazy import', () => {
    expect(start.bytes).toBeLessThanOrEqual(maxStartBytes)
    expect(start.bytes).toBeLessThan(whole.bytes / 2)
  })

  it('[ARC5] leaves every provider, and what only few requests need, for later', () => {
    const reached = Object.keys(start.metafile.inputs).filter((place) => /node_modules\/(@ai-sdk|workers-ai-provider|zod)\//.test(place))
    expect(reached).toEqual([])
    expect(lazyImportsOf(whole.metafile).length).toBeGreaterThan(3)
  })

  it('[ARC5] has no languages of zod but English, and nothing of `ai`', () => {
    const inputs = Object.keys(whole.metafile.inputs)
    expect(inputs.filter((place) => /node_modules\/ai\//.test(place))).toEqual([])
    // What esbuild reads is more than what it keeps: the output names what is kept.
    const text = readFileSync(path.join(folder, 'whole', 'worker.js'), 'utf8')
    expect(text).not.toContain('Ungültige Eingabe')
    expect(text).toContain('Invalid input')
  })
})
