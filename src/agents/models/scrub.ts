/** Takes secrets out of words that others wrote: the ones configured here, and whatever looks like a key or a token (rule SEC4). */

const HIDDEN = '***'

/** `sk-…`, `gsk_…`, `Bearer …`, Google's `AIza…`, and `key=…` in an address. */
const keyLike = [
  /\b(?:sk|pk|rk|gsk|xai|hf|whsec|dk)[-_][\w*.-]{6,}/gi,
  /\bBearer\s+[^\s"',;]+/gi,
  /\bAIza[\w-]{20,}/g,
  /\b(?:api[-_]?key|key|token|secret|password)=[^\s&"',;]+/gi,
]

export function scrub(words: string, secrets: readonly string[]): string {
  // The longest first: one may be part of another.
  const known = secrets.filter((secret) => secret !== '').toSorted((a, b) => b.length - a.length)
  const hidden = known.reduce((text, secret) => text.replaceAll(secret, HIDDEN), words)
  return keyLike.reduce((text, pattern) => text.replaceAll(pattern, HIDDEN), hidden)
}
