/** What stays with a socket while the object sleeps: who it is, and how far its replay has come. Never a token. */
import * as v from 'valibot'
import { PrincipalSchema } from '../protocol/access.ts'
import type { HostSocket } from './host.ts'

const AttachmentSchema = v.object({
  principal: PrincipalSchema,
  /** The last seq it was sent while replaying. */
  cursor: v.number(),
  /** True: it had its `ready` and gets every commit. */
  live: v.boolean(),
})
export type Attachment = v.InferOutput<typeof AttachmentSchema>

/** Null for a socket that was refused and is closing. */
export function readAttachment(socket: HostSocket): Attachment | null {
  const parsed = v.safeParse(AttachmentSchema, socket.attachment())
  return parsed.success ? parsed.output : null
}
