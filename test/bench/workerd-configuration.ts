/**
 * The configuration that serves the very bundle `wrangler deploy` would upload with workerd alone: no proxy in front, the
 * objects' SQLite on disk, and D1 as wrangler's own local simulator (Miniflare's), bound as wrangler binds it. It may reach
 * loopback, since that is where a provider of this benchmark listens.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

export interface ConfigurationParts {
  /** The bundled Worker. */
  worker: string
  wranglerToml: string
  key: string
  secret: string
  /** Further text bindings, by name. */
  variables: Readonly<Record<string, string>>
  /** Folders that exist. */
  objects: string
  index: string
}

/** Names of the sockets; their ports are told by workerd when it listens. */
export const httpSocket = 'http'
export const indexSocket = 'index'

/** Text of a workerd configuration, in Cap'n Proto's language. */
export function workerdConfiguration(parts: ConfigurationParts): string {
  const simulator = simulatorFolder()
  const file = (name: string) => embed(path.join(simulator, name))
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "objects", disk = (path = ${quoted(parts.objects)}, writable = true)),
    (name = "index", worker = .index),
    (name = "index:object", worker = .indexObject),
    (name = "index:files", disk = (path = ${quoted(parts.index)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [
    (name = "${httpSocket}", address = "127.0.0.1:0", http = (), service = "main"),
    (name = "${indexSocket}", address = "127.0.0.1:0", http = (), service = "index"),
  ],
  extensions = [(modules = [
    (name = "miniflare:shared", esModule = ${file('shared/index.worker.js')}),
    (name = "miniflare:zod", esModule = ${file('shared/zod.worker.js')}),
  ])],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = ${embed(parts.worker)})],
  compatibilityDate = ${quoted(compatibilityDate(parts.wranglerToml))},
  compatibilityFlags = ["nodejs_compat"],
  durableObjectNamespaces = [(className = "SessionObject", uniqueKey = "dormouse-SessionObject", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [
    (name = "SESSIONS", durableObjectNamespace = "SessionObject"),
    (name = "INDEX", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [(name = "fetcher", service = "index")])),
    (name = "DORMOUSE_API_KEY", text = ${quoted(parts.key)}),
    (name = "DORMOUSE_SECRET", text = ${quoted(parts.secret)}),
    (name = "DORMOUSE_RATE_LIMITS", text = "off"),
    (name = "DORMOUSE_CORS_ORIGINS", text = ""),
${textBindings(parts.variables)}
  ],
);
const index :Workerd.Worker = (
  modules = [(name = "entry.js", esModule = ${file('d1/entry.worker.js')})],
  compatibilityDate = "2023-07-24",
  compatibilityFlags = ["enhanced_error_serialization"],
  bindings = [
    (name = "MINIFLARE_NAMESPACE", text = "dormouse-index"),
    (name = "MINIFLARE_OBJECT", durableObjectNamespace = (className = "D1DatabaseObject", serviceName = "index:object")),
  ],
);
const indexObject :Workerd.Worker = (
  modules = [(name = "database.js", esModule = ${file('d1/database.worker.js')})],
  compatibilityDate = "2023-07-24",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  durableObjectNamespaces = [(className = "D1DatabaseObject", uniqueKey = "miniflare-D1DatabaseObject", enableSql = true)],
  durableObjectStorage = (localDisk = "index:files"),
  bindings = [(name = "MINIFLARE_BLOBS", service = "index:files")],
);
`
}

function textBindings(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, text]) => `    (name = ${quoted(name)}, text = ${quoted(text)}),`)
    .join('\n')
}

/** A path or a text; JSON's escapes are Cap'n Proto's too. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

/** An absolute path is looked for below the import path, which is the root. */
function embed(file: string): string {
  return `embed ${quoted(file)}`
}

function compatibilityDate(wranglerToml: string): string {
  const [, date] = /^compatibility_date = "([^"]+)"$/m.exec(readFileSync(wranglerToml, 'utf8')) ?? []
  if (date === undefined) throw new Error('wrangler.toml has no compatibility date')
  return date
}

/** Wrangler's own copy of Miniflare, wherever npm has put it. */
function simulatorFolder(): string {
  const wrangler = createRequire(import.meta.url).resolve('wrangler/package.json')
  return path.join(path.dirname(createRequire(wrangler).resolve('miniflare')), 'workers')
}
