/**
 * What one isolate remembers of MCP servers, whichever session asked: their tools, sessions that go on, and what was logged.
 * All of it is plain values that any object of the isolate may use.
 */
import { McpListCache, type CacheTimes } from './mcp-list-cache.ts'
import { McpSessions } from './mcp-sessions.ts'
import type { McpLog } from './mcp-tool-list.ts'
import type { Tool } from './tool.ts'

const minute = 60_000

const defaultTimes: CacheTimes = {
  freshMs: 5 * minute,
  staleMs: 15 * minute,
  pauseMs: 15_000,
  graceMs: 10 * minute,
  readMs: 12_000,
  entries: 64,
}
const maxLines = 1000

export class McpMemory {
  readonly lists: McpListCache<readonly Tool[]>
  readonly sessions: McpSessions
  /** Leaves room for an answer before the reading counts as dead. */
  readonly listTimeoutMs: number
  readonly #lines = new Set<string>()

  constructor(times: Partial<CacheTimes> = {}, now: () => number = Date.now) {
    const all = { ...defaultTimes, ...times }
    this.lists = new McpListCache(all, now)
    this.sessions = new McpSessions(now)
    this.listTimeoutMs = all.readMs * 0.8
  }

  /** A server that is wrong is read again every few minutes; the log need not say so each time. */
  readonly log: McpLog = (entry) => {
    const line = JSON.stringify({ level: 'warn', ...entry })
    if (this.#lines.has(line)) return
    if (this.#lines.size >= maxLines) this.#lines.clear()
    this.#lines.add(line)
    console.warn(line)
  }
}
