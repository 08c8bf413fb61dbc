/** The size of what is deployed, and of the part that every isolate evaluates as it starts. */
import { rmSync } from 'node:fs'
import { buildWorker, staticReach, type Size } from '../architecture/bundle-size.ts'
import type { Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'

const maxWholeKib = 250
const maxStaticKib = 60
const bytesPerKib = 1024

export const bundle: Scenario = {
  name: 'bundle',
  async run(bench) {
    bench.progress('bundle: building')
    const { folder, size } = await buildWorker()
    rmSync(folder, { recursive: true, force: true })
    return [
      figureOf('Worker, minified gzip', size, maxWholeKib, 'wrangler deploy --dry-run --minify --env production; gzip -9'),
      figureOf(
        'reached by static imports, minified gzip',
        await staticReach(),
        maxStaticKib,
        'bundled again with every import() left out; gzip -9',
      ),
    ]
  },
}

function figureOf(name: string, size: Size, maxKib: number, how: string): Figure {
  const value = size.gzipBytes / bytesPerKib
  const note = `${Math.round(size.bytes / bytesPerKib)} KiB before gzip; ${how}`
  return { name, value, unit: 'KiB', bar: atMost(maxKib, value), note }
}
