/**
 * Versions of what rows hold (rule LOG7). A format's version is one more than the number of its upgrades, so that a new
 * version cannot be made without a way to it. Upgrades are pure and apply on reading; rows are never rewritten. A row
 * newer than this code throws: guessing at its meaning would corrupt what a newer server wrote.
 */
import { join, type Body } from './pieces.ts'

/** What a row's JSON holds, before anything is known about it. */
export type StoredObject = Record<string, unknown>

/** Lifts an object by one version. Must not change its argument. */
export type Upgrade = (stored: StoredObject) => StoredObject

/** The upgrade at index 0 leads from version 1 to 2, and so on. Events are upgraded one by one. */
export interface Formats {
  event: readonly Upgrade[]
  snapshot: readonly Upgrade[]
  idempotency: readonly Upgrade[]
  partial: readonly Upgrade[]
}

export const formats: Formats = { event: [], snapshot: [withTools], idempotency: [], partial: [] }

/** Snapshot 2: tools, approvals, notes, and what turns have cost. Of a session that had none of them. */
function withTools(snapshot: StoredObject): StoredObject {
  const { active, usage } = snapshot
  const open = { recovery: 'resume', costBeforeWait: null, agentVersion: null, calls: [] }
  return {
    ...snapshot,
    active: active === null || active === undefined ? null : { ...asObject('turn', active), ...open },
    usage: { ...asObject('usage', usage), activeMs: 0, storage: { rowsRead: 0, rowsWritten: 0 } },
    notes: [],
  }
}

/** Stored by a newer server than this one; callers answer `version_too_new`. */
export class VersionTooNewError extends Error {
  override readonly name = 'VersionTooNewError'
  constructor(what: string, stored: number, known: number) {
    super(`The stored ${what} has version ${stored}; this server knows versions up to ${known}.`)
  }
}

export function versionOf(upgrades: readonly unknown[]): number {
  return upgrades.length + 1
}

/** Must be asked before a row's body is looked at. */
export function checkVersion(what: string, stored: number, known: number): void {
  if (stored > known) throw new VersionTooNewError(what, stored, known)
}

/** What was stored, as the newest version has it. The caller's row is the caller's word that it holds a `T`. */
export function decode<T>(what: string, row: { version: number; bodies: Body[] }, upgrades: readonly Upgrade[]): T {
  checkVersion(what, row.version, versionOf(upgrades))
  return lift(parseObject(what, join(row.bodies)), row.version, upgrades) as T
}

export function lift(stored: StoredObject, version: number, upgrades: readonly Upgrade[]): StoredObject {
  return upgrades.slice(version - 1).reduce((lifted, upgrade) => upgrade(lifted), stored)
}

export function parseObject(what: string, json: string): StoredObject {
  return asObject(what, JSON.parse(json))
}

export function asObject(what: string, value: unknown): StoredObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`The stored ${what} is not an object.`)
  return value as StoredObject
}
