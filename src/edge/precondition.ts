/** Conditional requests (RFC 9110, section 13). A session's entity tag is its head. */
import { refuse, type Result } from '../protocol/errors.ts'

const TAG_LIST = /^(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*$/

/** No session ever has this head, so that a condition on it fails. */
const NO_HEAD = 0

/** Whether `If-None-Match` names this head; a weak tag matches as well. */
export function isUnchanged(headers: Headers, head: number): boolean {
  const condition = headers.get('if-none-match')?.trim()
  if (!condition) return false
  return condition === '*' || condition.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${head}"`)
}

/** The head that `If-Match` asks for; null: any. A tag that cannot be a head (weak, or no number) asks for one that never is. */
export function expectedHead(headers: Headers): Result<number | null> {
  const condition = headers.get('if-match')?.trim()
  if (condition === undefined || condition === '*') return { ok: true, value: null }
  if (!TAG_LIST.test(condition)) return refuse('invalid_request', 'If-Match must be an entity tag, like "17".')
  const [, head] = /^"([1-9]\d{0,15})"$/.exec(condition) ?? []
  if (head === undefined && condition.includes(',')) return refuse('invalid_request', 'If-Match must be one entity tag.')
  return { ok: true, value: head === undefined ? NO_HEAD : Number(head) }
}
