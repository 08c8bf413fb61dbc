/**
 * Definitions of agents as this isolate last read them. The newest version of a name counts for a few seconds, and longer while
 * the database does not answer; a version itself never changes, and is kept as long as there is room.
 *
 * - An unchanged definition is the very same object: tool sets are kept by it.
 * - Requests share values, never promises: in workerd one request must not wait for the I/O of another.
 */
import type { StoredAgent } from '../protocol/agent.ts'
import { jsonBytes } from '../protocol/limits.ts'

/** Reads a version (null: the newest) from the database. */
export type AgentLookup = (tenant: string, name: string, version: number | null) => Promise<StoredAgent | null>

const TTL_MS = 5_000
/** A database that takes longer counts as down. */
const TIMEOUT_MS = 3_000
const MAX_NAMES = 10_000
/** JSON of all the versions that are kept. */
const MAX_BYTES = 16 * 1024 * 1024

export class AgentDefinitions {
  readonly #lookup: AgentLookup
  readonly #now: () => number
  /** Which version is the newest, null: there is none; in the order in which they were last asked for. */
  readonly #newest = new Map<string, { version: number | null; checkedAt: number }>()
  readonly #versions = new Map<string, { agent: StoredAgent; bytes: number }>()
  #bytes = 0
  /** How often something was forgotten. */
  #changes = 0

  constructor(lookup: AgentLookup, now: () => number = Date.now) {
    this.#lookup = lookup
    this.#now = now
  }

  /** Rejects when the database does not answer and nothing is known. */
  async read(tenant: string, name: string, version: number | null): Promise<StoredAgent | null> {
    const wanted = version ?? (await this.#newestVersion(tenant, name))
    if (wanted === null) return null
    return this.#kept(tenant, name, wanted) ?? this.#look(tenant, name, wanted)
  }

  /** The newest version as it was last read, without asking; null: none that is known. */
  peek(tenant: string, name: string): StoredAgent | null {
    const version = this.#newest.get(keyOf(tenant, name))?.version ?? null
    return version === null ? null : this.#kept(tenant, name, version)
  }

  /** It was changed: the next read asks the database. What was known still counts if that fails. */
  forget(tenant: string, name: string): void {
    this.#changes += 1
    const known = this.#newest.get(keyOf(tenant, name))
    if (known) known.checkedAt = -Infinity
  }

  async #newestVersion(tenant: string, name: string): Promise<number | null> {
    const key = keyOf(tenant, name)
    const known = this.#newest.get(key)
    if (known && this.#now() - known.checkedAt < TTL_MS) return known.version
    const changes = this.#changes
    // What fails is noted as if it were news, or everybody would wait for a database that is down.
    const version = await this.#look(tenant, name, null).then(
      (agent) => agent?.version ?? null,
      (error: unknown) => {
        if (!known) throw error
        return known.version
      },
    )
    // An answer from before a change must not pass for one from after it.
    this.#note(key, version, changes === this.#changes ? this.#now() : -Infinity)
    return version
  }

  async #look(tenant: string, name: string, version: number | null): Promise<StoredAgent | null> {
    const agent = await withinTimeout(this.#lookup(tenant, name, version))
    if (agent === null) return null
    const kept = this.#kept(tenant, name, agent.version)
    // Of a name that was deleted and made again the version counts on, so the same version is the same definition.
    if (kept) return kept
    this.#keep(keyOf(tenant, name, agent.version), agent)
    return agent
  }

  #kept(tenant: string, name: string, version: number): StoredAgent | null {
    const key = keyOf(tenant, name, version)
    const entry = this.#versions.get(key)
    if (!entry) return null
    this.#versions.delete(key)
    this.#versions.set(key, entry)
    return entry.agent
  }

  #keep(key: string, agent: StoredAgent): void {
    const bytes = jsonBytes(agent)
    this.#versions.set(key, { agent, bytes })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#versions) {
      if (this.#bytes <= MAX_BYTES) break
      this.#versions.delete(oldest)
      this.#bytes -= entry.bytes
    }
  }

  #note(key: string, version: number | null, checkedAt: number): void {
    this.#newest.delete(key)
    this.#newest.set(key, { version, checkedAt })
    const oldest = this.#newest.keys().next()
    if (this.#newest.size > MAX_NAMES && !oldest.done) this.#newest.delete(oldest.value)
  }
}

/** Neither tenants nor names hold a slash. */
function keyOf(...parts: (string | number)[]): string {
  return parts.join('/')
}

function withinTimeout<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The index database did not answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    void work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

type Source = Pick<Env, 'INDEX' | 'DORMOUSE_SECRET'>

const ofDatabase = new WeakMap<D1Database, { secret: string; definitions: AgentDefinitions }>()

/** One for the whole isolate: sessions and the edge share what was read. */
export function agentDefinitionsOf(env: Source): AgentDefinitions {
  const { INDEX, DORMOUSE_SECRET: secret } = env
  const known = ofDatabase.get(INDEX)
  if (known?.secret === secret) return known.definitions
  const definitions = new AgentDefinitions(async (...which) => {
    const { lookUp } = await import('./agent-lookup.ts')
    return lookUp({ INDEX, DORMOUSE_SECRET: secret }, ...which)
  })
  ofDatabase.set(INDEX, { secret, definitions })
  return definitions
}
