/**
 * Notes are bounded where they are stored (rule LOG6): tools that run side by side know the notes from before them, and not
 * what the others are writing.
 */
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { ToolOutcome } from './command.ts'
import type { SessionState } from './state.ts'

/** Why these cannot be stored, in words for the model; null: they can. */
export function notesProblem(known: SessionState['notes'], changes: ToolOutcome['notes']): string | null {
  const keys = new Set(known.map(({ key }) => key))
  for (const { key, text } of changes) {
    if (text === null) keys.delete(key)
    else keys.add(key)
    if (key.length > limits.noteKeyCharacters) return `Nothing was noted: a key has ${limits.noteKeyCharacters} characters at most.`
    if (text !== null && jsonBytes(text) > limits.noteBytes) return `Nothing was noted: a note has ${limits.noteBytes} bytes at most.`
  }
  return keys.size > limits.notes ? `Nothing was noted: there are ${limits.notes} notes at most; forget one first.` : null
}
