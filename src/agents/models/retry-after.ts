/** How long a provider asks to be left alone: `Retry-After` (RFC 9110, 10.2.3: seconds or a date), or the finer `retry-after-ms`. */

/** Milliseconds from now on; null: it does not say. Names of headers are in lower case. */
export function retryAfterIn(headers: Readonly<Record<string, string>>, now: number): number | null {
  const ms = numberIn(headers['retry-after-ms'])
  if (ms !== null) return ms
  const after = headers['retry-after']
  const seconds = numberIn(after)
  if (seconds !== null) return seconds * 1000
  // A date names its month; `Date.parse` would read a bare number as a year.
  const date = Date.parse(after !== undefined && /[a-z]/i.test(after) ? after : '')
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

function numberIn(text: string | undefined): number | null {
  return text !== undefined && /^\s*\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : null
}
