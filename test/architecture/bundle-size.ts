/**
 * How large the Worker is as it is deployed, in bytes of gzip -9. Two sizes count: the whole, which is uploaded, and what
 * static imports reach from the entry, which every isolate evaluates before its first request. The rest is in the same file,
 * but runs when an `import()` first asks for it.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'

const root = path.resolve(import.meta.dirname, '../..')
const wranglerFolder = path.dirname(createRequire(import.meta.url).resolve('wrangler/package.json'))

export interface Size {
  bytes: number
  gzipBytes: number
  /** Bytes in the output by source file, after minification; largest first. */
  inputs: { path: string; bytes: number }[]
}

/** What `wrangler deploy --env production` would upload: in a new folder, as a file and its metafile. The caller removes the folder. */
export async function buildWorker(): Promise<{ folder: string; file: string; size: Size }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'dormouse-bundle-'))
  const metafile = path.join(folder, 'metafile.json')
  try {
    await deployDry(folder, metafile)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  const file = path.join(folder, 'worker.js')
  return { folder, file, size: sizeOf(readFileSync(file), JSON.parse(readFileSync(metafile, 'utf8')) as Metafile) }
}

async function deployDry(folder: string, metafile: string): Promise<void> {
  const environment = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' }
  const cli = path.join(wranglerFolder, 'wrangler-dist/cli.js')
  const arguments_ = [
    '--no-warnings',
    cli,
    'deploy',
    '--dry-run',
    '--minify',
    '--env',
    'production',
    '--outdir',
    folder,
    '--metafile',
    metafile,
  ]
  await promisify(execFile)(process.execPath, arguments_, { cwd: root, env: environment })
}

/**
 * The Worker bundled again by wrangler's own esbuild, with every `import()` left as it stands: what remains is exactly what
 * static imports reach. Nothing but the aliases of wrangler.toml could make it differ from the whole, and those are for
 * packages that no static import may reach.
 */
export async function staticReach(): Promise<Size> {
  const { outputFiles, metafile } = await esbuild().build({
    absWorkingDir: root,
    entryPoints: ['src/worker.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    metafile: true,
    write: false,
    plugins: [lazyImportsLeftOut],
  })
  const [output] = outputFiles
  if (!output) throw new Error('esbuild made nothing')
  return sizeOf(output.contents, metafile)
}

const lazyImportsLeftOut: Plugin = {
  name: 'lazy-imports-left-out',
  setup(build) {
    build.onResolve({ filter: /.*/ }, (asked) => (asked.kind === 'dynamic-import' ? { path: asked.path, external: true } : undefined))
  },
}

function sizeOf(code: Uint8Array, { outputs }: Metafile): Size {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs))
  return {
    bytes: code.byteLength,
    gzipBytes: gzipSync(code, { level: 9 }).byteLength,
    inputs: inputs.map(([file, { bytesInOutput }]) => ({ path: file, bytes: bytesInOutput })).toSorted((a, b) => b.bytes - a.bytes),
  }
}

/** What this file uses of esbuild, which comes with wrangler and is no dependency of this project. */
interface Esbuild {
  build(options: object): Promise<{ outputFiles: { contents: Uint8Array }[]; metafile: Metafile }>
}

interface Metafile {
  outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>
}

interface Plugin {
  name: string
  setup(build: {
    onResolve(
      options: { filter: RegExp },
      answer: (asked: { kind: string; path: string }) => { path: string; external: true } | undefined,
    ): void
  }): void
}

function esbuild(): Esbuild {
  return createRequire(path.join(wranglerFolder, 'package.json'))('esbuild') as Esbuild
}
