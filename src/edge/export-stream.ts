/**
 * A session as NDJSON: a header line, then every event up to the head the header names, one per line. The same head gives
 * the same bytes. Pages are read as the client takes them, so a long history needs no more memory than a short one.
 */
import { limits } from '../protocol/limits.ts'
import type { Session } from '../protocol/session.ts'
import { ask, type Asker } from './session-gateway.ts'

export const EXPORT_VERSION = 1

const utf8 = new TextEncoder()

export function exportStream(asker: Asker, session: Session): ReadableStream<Uint8Array> {
  const { head } = session
  let after = 0
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(utf8.encode(line({ type: 'dormouse.export', version: EXPORT_VERSION, session, head })))
      },
      async pull(controller) {
        const page = await ask(asker, 'listEvents', { after, limit: limits.pageItems })
        // A stream that ends early must not look complete.
        if (!page.ok) return controller.error(new Error(page.error.message))
        const events = page.value.items.filter((event) => event.seq <= head)
        after = events.at(-1)?.seq ?? head
        if (events.length > 0) controller.enqueue(utf8.encode(events.map(line).join('')))
        if (after >= head) controller.close()
      },
    },
    { highWaterMark: 1 },
  )
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
