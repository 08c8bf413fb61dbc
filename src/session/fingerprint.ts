/** Tells two commands apart: the hash of the verb and the parsed body, the same whatever the order of keys was. */
import { createHash } from 'node:crypto'

export function fingerprintOf(verb: string, body: unknown): string {
  return createHash('sha256')
    .update(`${verb}\n${canonicalJson(body)}`)
    .digest('base64url')
    .slice(0, 22)
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isRecord(item) ? Object.fromEntries(Object.entries(item).toSorted(byKey)) : item))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
