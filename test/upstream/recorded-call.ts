/** What the upstream remembers of a request, for tests to count calls by and to see how each ended. */
import type { Dialect } from './answer.ts'

export interface RecordedCall {
  /** 1, 2, 3 … in the order in which they arrived. */
  id: number
  dialect: Dialect
  path: string
  /** Empty for requests that name none. */
  model: string
  body: unknown
  /** Without the key. */
  headers: Record<string, string>
  hasKey: boolean
  /** Milliseconds since the epoch, of this machine's clock. */
  beganAt: number
  endedAt: number | null
  /** `aborted`: by the client, before all was said. `reset`: by the script. Null: not yet. */
  end: 'completed' | 'aborted' | 'reset' | null
  /** The gate at which the answer waits; null: none. */
  holdingAt: string | null
  status: number | null
  bytesSent: number
}
