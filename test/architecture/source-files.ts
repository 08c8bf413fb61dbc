/** Reads the source as text: what it says and what it imports. Formatted code is regular enough for expressions. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

export interface SourceFile {
  /** From the root, with slashes: `src/core/decide.ts`. */
  path: string
  /** The folder below `src`, or empty for `src` itself. */
  folder: string
  text: string
}

export interface Import {
  /** As written: `../protocol/event.ts`, `valibot`. */
  specifier: string
  /** True when nothing of it is left at run time. */
  typeOnly: boolean
}

const WRITTEN_BY_WRANGLER = 'src/worker-configuration.d.ts'

export function sourceFiles(): SourceFile[] {
  return filesBelow('src').filter((file) => file.path !== WRITTEN_BY_WRANGLER)
}

export function filesBelow(top: string): SourceFile[] {
  const entries = readdirSync(path.join(root, top), { recursive: true, encoding: 'utf8' })
  return entries
    .map((entry) => `${top}/${entry.replaceAll('\\', '/')}`)
    .filter((place) => /\.(ts|js)$/.test(place))
    .map((place) => ({ path: place, folder: place.split('/').slice(1, -1).join('/'), text: readFileSync(path.join(root, place), 'utf8') }))
}

/** `import … from`, `export … from`, `import '…'` at the start of a line, and `import('…')` anywhere in code. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text)
  const fixed = code.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)
  const lazy = code.matchAll(/\bimport\(\s*(?:'([^']+)'|([^)]*))/g)
  return [
    ...[...fixed].map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined })),
    ...[...lazy].map((match) => ({ specifier: match[1] ?? `import(${match[2] ?? ''})`, typeOnly: false })),
  ]
}

/** Block comments, and line comments that follow a space or begin a line (a URL's slashes follow a colon). */
export function withoutComments(text: string): string {
  return text.replaceAll(/(^|\s)\/\*[\s\S]*?\*\//g, '$1').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

/** The path from the root that a relative import means. */
export function resolveImport(from: SourceFile, specifier: string): string {
  return path.posix.join(path.posix.dirname(from.path), specifier)
}
