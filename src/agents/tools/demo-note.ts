import * as v from 'valibot'
import { defineTool } from './define-tool.ts'

/** Harmless, and asks all the same: to see what an approval is. */
export const demoNote = defineTool({
  name: 'demo_note',
  description: 'Answers the text it is given, after a person has allowed it. For trying out approvals.',
  input: v.strictObject({ text: v.pipe(v.string(), v.maxLength(2000, 'must be 2,000 characters at most')) }),
  approval: 'policy',
  idempotent: false,
  run: ({ text }) => ({ output: { noted: text } }),
})
