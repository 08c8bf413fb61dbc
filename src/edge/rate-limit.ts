/** Rate limits, by the platform's bindings: per credential and per address, commands and reads apart. Off unless asked for. */
import { refuse, type Result } from '../protocol/errors.ts'

/** The bindings' period. */
const RETRY_AFTER_SECONDS = 60

/** Counts one request of this caller: `key:…`, `token:…` or `address:…`. */
export async function countRequest(env: Env, method: string, caller: string): Promise<Result<null>> {
  if (env.DORMOUSE_RATE_LIMITS !== 'on') return { ok: true, value: null }
  const isRead = method === 'GET' || method === 'HEAD'
  const { success } = await (isRead ? env.READ_LIMIT : env.COMMAND_LIMIT).limit({ key: caller })
  if (success) return { ok: true, value: null }
  return refuse('rate_limited', 'Too many requests in the last minute.', { retryAfterSeconds: RETRY_AFTER_SECONDS })
}
