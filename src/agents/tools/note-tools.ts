/** What an agent writes down in its session: small, bounded, and given to it again in every step. */
import * as v from 'valibot'
import { limits } from '../../protocol/limits.ts'
import { defineTool } from './define-tool.ts'
import { ToolError } from './tool.ts'

const KeySchema = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty'),
  v.maxLength(limits.noteKeyCharacters, `must be ${limits.noteKeyCharacters} characters at most`),
  v.check((key) => !/\p{Cc}/u.test(key) && key.isWellFormed(), 'must be one line of plain text'),
)

const TextSchema = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty; null forgets the note'),
  v.maxBytes(limits.noteBytes, `must be ${limits.noteBytes} bytes at most`),
)

export const remember = defineTool({
  name: 'remember',
  description: `Keeps a short note for the rest of this conversation, under a key; it stays known when older messages are summarised. The same key again replaces the note, text null forgets it. At most ${limits.notes} notes of ${limits.noteBytes} bytes.`,
  input: v.strictObject({ key: KeySchema, text: v.nullable(TextSchema) }),
  approval: 'never',
  idempotent: true,
  run: ({ key, text }, { notes }) => {
    const isKnown = notes.some((note) => note.key === key)
    if (text !== null && !isKnown && notes.length >= limits.notes) {
      throw new ToolError(
        `Not noted: there are ${limits.notes} notes already, the most there can be. Replace one, or forget one with text null.`,
      )
    }
    if (text === null) return { output: isKnown ? { forgotten: key } : `There is no note ${key}.`, notes: isKnown ? [{ key, text }] : [] }
    return { output: { remembered: key, text: text.toWellFormed() }, notes: [{ key, text: text.toWellFormed() }] }
  },
})

export const notes = defineTool({
  name: 'notes',
  description: 'Lists the notes that remember has kept in this conversation, oldest first.',
  input: v.strictObject({}),
  approval: 'never',
  idempotent: true,
  run: (_, call) => ({ output: { notes: call.notes } }),
})
