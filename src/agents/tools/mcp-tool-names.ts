/** What the tools of an MCP server are called here: `server__tool`, in the characters and the length that models take. */

const MAX_CHARACTERS = 64

/** By the tools' own names. A name that had to change, or to be cut, gets a hash of the original where it would be ambiguous. */
export function mcpToolNames(server: string, originals: readonly string[]): Map<string, string> {
  const unchanged = originals.filter((original) => prefixed(server, original) === safe(server, original))
  const taken = new Set(unchanged.map((original) => prefixed(server, original)))
  const names = new Map(unchanged.map((original) => [original, prefixed(server, original)]))
  for (const original of originals) {
    if (names.has(original)) continue
    const name = free(safe(server, original), original, taken)
    taken.add(name)
    names.set(original, name)
  }
  return names
}

function prefixed(server: string, original: string): string {
  return `${server}__${original}`
}

function safe(server: string, original: string): string {
  const name = prefixed(server, original).replaceAll(/[^a-zA-Z0-9_-]/g, '_')
  return name.length <= MAX_CHARACTERS ? name : cut(name, hashOf(original))
}

/** Whoever comes later gives way; what a name is must not change while the list stays as it is. */
function free(name: string, original: string, taken: ReadonlySet<string>): string {
  let candidate = name
  for (let salt = 0; taken.has(candidate); salt++) candidate = cut(name, hashOf(`${original}${'\0'.repeat(salt)}`))
  return candidate
}

function cut(name: string, hash: string): string {
  return `${name.slice(0, MAX_CHARACTERS - 1 - hash.length)}_${hash}`
}

/** FNV-1a: the same on every server, and nobody's safety depends on it. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
