/** The shape of the source as a test: who may import whom, how large a file may be, what a folder may be called. */
import { describe, expect, it } from 'vitest'
import { CONTRACT, layers, PLATFORM_FILE, violationsOf } from './layers.ts'
import { importsOf, sourceFiles, withoutComments, type SourceFile } from './source-files.ts'

const MAX_LINES = 400
const files = sourceFiles()

function planted(path: string, text: string): SourceFile {
  return { path, folder: path.split('/').slice(1, -1).join('/'), text }
}

function isBarrel(text: string): boolean {
  const code = withoutComments(text).replaceAll(/^export\s[^'";]*?\sfrom\s+'[^']+'$/gm, '')
  return importsOf(text).length > 0 && code.trim() === ''
}

describe('layers', () => {
  it('[ARC1] every import goes along an arrow of the layer table', () => {
    expect(files.length).toBeGreaterThan(20)
    expect(files.flatMap(violationsOf)).toEqual([])
  })

  it.each([
    ['src/core/a.ts', "import { store } from '../storage/log.ts'"],
    ['src/core/a.ts', "import * as v from 'valibot'"],
    ['src/protocol/a.ts', "export { decide } from '../core/decide.ts'"],
    ['src/storage/a.ts', "import { reduce } from '../core/reduce.ts'"],
    ['src/storage/a.ts', "import { type State, reduce } from '../core/reduce.ts'"],
    ['src/storage/a.ts', "import '../core/reduce.ts'"],
    ['src/edge/a.ts', "import { Session, type Outcome } from '../session/session.ts'"],
    ['src/edge/a.ts', "const later = await import('../session/session.ts')"],
    ['src/edge/a.ts', "import { env } from 'cloudflare:workers'"],
    ['src/session/a.ts', "import { DurableObject } from 'cloudflare:workers'"],
    ['src/session/a.ts', "import { app } from '../edge/app.ts'"],
    ['src/agents/a.ts', 'const one = await import(name)'],
    ['src/clients/a.ts', "import type { State } from '../core/state.ts'"],
    ['src/clients/cli/a.ts', "import { limits } from '../../protocol/limits.ts'"],
    ['src/utils/a.ts', 'export const a = 1'],
  ])('[ARC1] the check bites: in %s, %s', (path, text) => {
    expect(violationsOf(planted(path, text))).toHaveLength(1)
  })

  it('[ARC1] the contract between edge and session imports types alone', () => {
    const contract = files.find((file) => file.path === CONTRACT)
    expect(importsOf(contract?.text ?? '').filter((each) => !each.typeOnly)).toEqual([])
    expect(violationsOf(planted('src/edge/a.ts', "import { objectName } from '../session/requests.ts'"))).toEqual([])
  })

  it('[ARC1] one file knows the platform', () => {
    const knowing = files.filter((file) => importsOf(file.text).some((each) => each.specifier === 'cloudflare:workers'))
    expect(knowing.map((file) => file.path)).toEqual([PLATFORM_FILE])
  })

  it('[ARC1] of node:crypto the session takes the hash and nothing else', () => {
    const lines = files.filter((file) => file.folder === 'session').flatMap((file) => file.text.match(/^import .*'node:crypto'$/gm) ?? [])
    expect(lines.filter((line) => line !== "import { createHash } from 'node:crypto'")).toEqual([])
  })
})

describe('files and folders', () => {
  it('[ARC2] no file has more than 400 lines', () => {
    const long = files.filter((file) => file.text.split('\n').length - 1 > MAX_LINES)
    expect(long.map((file) => file.path)).toEqual([])
  })

  it('[ARC2] no file only passes on what others export', () => {
    expect(files.filter((file) => isBarrel(file.text) && file.path !== 'src/worker.ts').map((file) => file.path)).toEqual([])
    expect(isBarrel("// All of it.\nexport * from './a.ts'\nexport {\n  b,\n} from './b.ts'\n")).toBe(true)
    expect(isBarrel("import { a } from './a.ts'\n\nexport const b = a\n")).toBe(false)
  })

  it('[ARC2] names are kebab-case nouns that say what is inside', () => {
    const vague = /(^|[-/])(utils?|helpers?|common|misc|managers?|services?|handlers?)([-/.]|$)/
    const odd = files.filter((file) => vague.test(file.path) || !/^src\/([a-z0-9-]+\/)*[a-z0-9-]+\.(ts|js)$/.test(file.path))
    expect(odd.map((file) => file.path)).toEqual([])
  })

  it('[ARC2] every folder has its row, and what runs before the packages are there is JavaScript', () => {
    expect(files.map((file) => file.folder).filter((folder) => layers[folder] === undefined)).toEqual([])
    expect(files.filter((file) => (file.folder === 'local') !== file.path.endsWith('.js')).map((file) => file.path)).toEqual([])
  })
})
