/**
 * The layer table of docs/architecture.md, and the check that holds a file against it. Arrows go downward only; every
 * folder may import itself. Whoever changes a row changes the document and this table together.
 */
import { importsOf, resolveImport, type Import, type SourceFile } from './source-files.ts'

interface Layer {
  /** Folders it may import. */
  imports: string[]
  /** Folders of which it may know the types, and nothing that is there at run time. */
  types: string[]
  /** Packages and platform modules; `@scope/*` allows a scope. */
  packages: string[]
}

const layer = (imports: string[], types: string[] = [], packages: string[] = []): Layer => ({ imports, types, packages })

/** The entry, `worker.ts`, is the folder without a name. */
export const layers: Record<string, Layer> = {
  '': layer(['edge', 'session', 'agents', 'agents/models', 'agents/tools', 'cron']),
  protocol: layer([], [], ['valibot']),
  core: layer(['protocol']),
  storage: layer(['protocol'], ['core']),
  agents: layer(['agents/models', 'agents/tools', 'protocol']),
  'agents/models': layer(['protocol'], ['agents', 'agents/tools'], ['@ai-sdk/*', 'workers-ai-provider', 'valibot', 'zod']),
  'agents/tools': layer(
    ['protocol'],
    [],
    [
      '@ai-sdk/mcp',
      '@ai-sdk/provider-utils',
      '@valibot/to-json-schema',
      '@cfworker/json-schema',
      'fparser',
      'ipaddr.js',
      'valibot',
      'node:dns/promises',
    ],
  ),
  'session-index': layer(['protocol'], [], ['valibot']),
  session: layer(
    ['core', 'storage', 'agents', 'agents/models', 'agents/tools', 'session-index', 'protocol'],
    [],
    ['valibot', 'node:crypto'],
  ),
  edge: layer(['session-index', 'protocol'], ['session'], ['hono', 'hono/*', 'valibot', '@valibot/to-json-schema']),
  cron: layer(['session-index', 'protocol'], ['session']),
  clients: layer(['protocol'], [], ['partysocket', 'node:*']),
  local: layer([], [], ['node:*']),
}

/** What the edge may ask of a session object. Everyone who may know the types of `session` may import it whole, since it
 * holds names and no behaviour: its own imports are types (a test holds it to that). */
export const CONTRACT = 'src/session/requests.ts'

/** The only file that may know the platform's own module. */
export const PLATFORM_FILE = 'src/session/session-object.ts'

/** One sentence for each import of the file that its layer does not allow. */
export function violationsOf(file: SourceFile): string[] {
  const rules = layers[file.folder]
  if (rules === undefined) return [`${file.path}: src/${file.folder} is not a folder of the layer table`]
  return importsOf(file.text)
    .filter((each) => !isAllowed(file, rules, each))
    .map((each) => `${file.path} imports ${each.specifier}${each.typeOnly ? ' (types)' : ''}`)
}

function isAllowed(file: SourceFile, rules: Layer, { specifier, typeOnly }: Import): boolean {
  if (specifier.startsWith('.')) return isAllowedPath(file, rules, resolveImport(file, specifier), typeOnly)
  if (specifier === 'cloudflare:workers') return file.path === PLATFORM_FILE
  return rules.packages.some((allowed) => matches(allowed, specifier))
}

function isAllowedPath(file: SourceFile, rules: Layer, target: string, typeOnly: boolean): boolean {
  const folder = target.split('/').slice(1, -1).join('/')
  if (!target.startsWith('src/')) return false
  if (folder === file.folder || rules.imports.includes(folder)) return true
  return rules.types.includes(folder) && (typeOnly || target === CONTRACT)
}

function matches(allowed: string, specifier: string): boolean {
  return allowed.endsWith('*') ? specifier.startsWith(allowed.slice(0, -1)) : specifier === allowed
}
