/** What went wrong with a model, in a sentence for people that holds no secret (rule SEC4). Expected, and therefore told. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
  /** The server may ask again, at the earliest after so long; null: never. */
  readonly retryAfterMs: number | null
  /** The provider is down or overloaded: it counts for its circuit breaker. */
  readonly isOutage: boolean
  constructor(message: string, retryAfterMs: number | null = null, isOutage = false) {
    super(message)
    this.retryAfterMs = retryAfterMs
    this.isOutage = isOutage
  }
}
