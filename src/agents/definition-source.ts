/** Where the definitions of a tenant's agents come from: the index database, behind a short cache. */
import type { StoredAgent } from '../protocol/agent.ts'

export interface DefinitionSource {
  /**
   * A version of an agent, or (null) its newest; a deleted agent has no newest, but its versions stay. Null: there is none.
   * Cached for a few seconds, and the last answer counts while the database is down; rejects when there is none.
   */
  read(tenant: string, name: string, version: number | null): Promise<StoredAgent | null>
  /** The newest version as it was last read, without asking. */
  peek(tenant: string, name: string): StoredAgent | null
}
