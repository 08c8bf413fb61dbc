/**
 * Which keys were revoked, as this isolate last heard. A database that is slow or down locks nobody out (rule SEC6): the
 * last answer counts, and a key never asked about is good. So a revocation takes effect everywhere within the TTL.
 */
interface Entry {
  isRevoked: boolean
  checkedAt: number
}

/** Asks the truth whether a key was revoked. */
export type RevocationLookup = (keyId: string) => Promise<boolean>

const TTL_MS = 10_000
const TIMEOUT_MS = 1_000
const MAX_ENTRIES = 10_000

export class Revocations {
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  async isRevoked(keyId: string, lookup: RevocationLookup): Promise<boolean> {
    const known = this.#entries.get(keyId)
    // A revocation is for good: no need to ask twice.
    if (known && (known.isRevoked || this.#now() - known.checkedAt < TTL_MS)) return known.isRevoked
    const isRevoked = (await withinTimeout(lookup(keyId))) ?? known?.isRevoked ?? false
    this.#remember(keyId, isRevoked)
    return isRevoked
  }

  /** The next question about this key goes to the database. */
  forget(keyId: string): void {
    this.#entries.delete(keyId)
  }

  /** Failed look-ups are remembered too, or every request would wait for a database that is down. */
  #remember(keyId: string, isRevoked: boolean): void {
    this.#entries.delete(keyId)
    this.#entries.set(keyId, { isRevoked, checkedAt: this.#now() })
    const oldest = this.#entries.keys().next()
    if (this.#entries.size > MAX_ENTRIES && !oldest.done) this.#entries.delete(oldest.value)
  }
}

/** The answer, or null when it failed or took too long. */
function withinTimeout(answer: Promise<boolean>): Promise<boolean | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), TIMEOUT_MS)
    const settle = (value: boolean | null) => {
      clearTimeout(timer)
      resolve(value)
    }
    answer.then(settle, () => settle(null))
  })
}

/** One for the whole isolate: requests share what it learned. */
export const revocations = new Revocations()
