import type { SessionState } from '../core/state.ts'
import type { SessionStore } from '../storage/session-store.ts'
import { eventAt } from './read-log.ts'

/** What the agent has noted in the session, oldest first. */
export function readNotes(store: SessionStore, { notes }: Pick<SessionState, 'notes'>): { key: string; text: string }[] {
  return notes.flatMap(({ seq }) => {
    const event = eventAt(store, seq)
    return event?.type === 'note.written' && event.text !== null ? [{ key: event.key, text: event.text }] : []
  })
}
