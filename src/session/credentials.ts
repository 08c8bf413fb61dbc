import type { SessionState } from '../core/state.ts'
import type { Principal } from '../protocol/access.ts'

/** Why credentials that were once verified are no longer good for this session, or null. */
export function credentialsProblem(principal: Principal, state: SessionState, now: number): string | null {
  if (principal.kind !== 'token') return null
  if (principal.expiresAt <= now) return 'The token has expired.'
  return principal.epoch === state.tokenEpoch ? null : 'The token was revoked.'
}
