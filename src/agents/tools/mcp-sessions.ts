/**
 * Sessions at MCP servers that go on between the calls of one conversation, as a server with a state needs it: a browser
 * that was opened stays open. Only plain values are kept, a connection never is; what is forgotten is begun anew.
 */
import type { InitializeResult } from '@ai-sdk/mcp'

/** All that a later call needs to go on. Servers of the stateless version have none. */
export interface McpSession {
  /** Null: the server keeps no sessions. */
  id: string | null
  initializeResult: InitializeResult
}

const maxSessions = 1000
const maxIdleMs = 30 * 60_000

export class McpSessions {
  readonly #now: () => number
  readonly #sessions = new Map<string, { session: McpSession; usedAt: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  get(key: string): McpSession | null {
    const kept = this.#sessions.get(key)
    if (!kept || this.#now() - kept.usedAt > maxIdleMs) return null
    this.#put(key, kept.session)
    return kept.session
  }

  /** Of calls that began at the same time the first one's session stays. Answers the one that counts. */
  keep(key: string, session: McpSession): McpSession {
    const kept = this.get(key)
    if (kept) return kept
    this.#put(key, session)
    return session
  }

  forget(key: string, session: McpSession): void {
    if (this.#sessions.get(key)?.session === session) this.#sessions.delete(key)
  }

  #put(key: string, session: McpSession): void {
    this.#sessions.delete(key)
    this.#sessions.set(key, { session, usedAt: this.#now() })
    if (this.#sessions.size <= maxSessions) return
    for (const oldest of this.#sessions.keys()) return void this.#sessions.delete(oldest)
  }
}
