/**
 * Tokens of context of common models, by how their names begin; the longest beginning counts. From the providers' model pages
 * (2026-11). An agent that says `window` is believed first, then its provider's list; this is the last resort.
 */
const knownWindows: Record<string, number> = {
  'claude-': 200_000,
  'claude-2.0': 100_000,
  'gpt-5': 400_000,
  'gpt-4.1': 1_047_576,
  'gpt-4o': 128_000,
  'gpt-4-turbo': 128_000,
  'gpt-4': 8192,
  'gpt-3.5-turbo': 16_385,
  'gpt-oss': 128_000,
  o1: 200_000,
  o3: 200_000,
  'o4-mini': 200_000,
  'gemini-': 1_048_576,
  'grok-4': 256_000,
  'deepseek-': 128_000,
  'mistral-large': 128_000,
  'llama-3.3-70b-instruct-fp8-fast': 24_000,
}

const defaultWindow = 128_000

/** Of a model's name without its provider; a gateway's `anthropic/claude-sonnet-4-5` is known by its last segment. */
export function knownWindowOf(modelId: string): number {
  const name = modelId.slice(modelId.lastIndexOf('/') + 1)
  const beginnings = Object.keys(knownWindows).filter((beginning) => name.startsWith(beginning))
  const longest = beginnings.toSorted((a, b) => b.length - a.length)[0]
  return longest === undefined ? defaultWindow : (knownWindows[longest] ?? defaultWindow)
}
