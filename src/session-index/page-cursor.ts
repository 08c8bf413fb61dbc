/**
 * Cursors of keyset pages: the place after which a page goes on, and the scope it is good for. To clients they are
 * opaque. A cursor grants nothing, since every query names its tenant anyway; the scope catches one that was carried
 * over to other filters, where it would silently skip rows.
 */
import * as v from 'valibot'
import { refuse, type Result } from '../protocol/errors.ts'
import { TimeSchema } from '../protocol/ids.ts'
import { parseJson } from '../protocol/json.ts'

/** Pages go down by time, then by id. */
export interface Position {
  at: number
  id: string
}

/** Comes before every row: no time is greater. */
export const START: Position = { at: Number.MAX_SAFE_INTEGER, id: '' }

const CURSOR_CHARACTERS = 256
const SCOPE_BYTES = 12

const CursorSchema = v.strictObject({ at: TimeSchema, id: v.string(), scope: v.string() })

export async function encodeCursor(position: Position, scope: readonly unknown[]): Promise<string> {
  return toBase64Url(JSON.stringify({ ...position, scope: await digest(scope) }))
}

/** No cursor is the start. */
export async function decodeCursor(cursor: string | null, scope: readonly unknown[]): Promise<Result<Position>> {
  if (cursor === null) return { ok: true, value: START }
  const parsed = v.safeParse(CursorSchema, cursor.length > CURSOR_CHARACTERS ? null : fromBase64Url(cursor))
  if (!parsed.success) return refuse('invalid_request', 'The cursor is malformed; pass on `next` of a page as it is.')
  if (parsed.output.scope !== (await digest(scope))) {
    return refuse('invalid_request', 'The cursor is of another list; keep the filters of the page it came from.')
  }
  return { ok: true, value: { at: parsed.output.at, id: parsed.output.id } }
}

async function digest(scope: readonly unknown[]): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(scope)))
  return toBase64Url(String.fromCharCode(...new Uint8Array(bytes, 0, SCOPE_BYTES)))
}

/** `binary` holds one byte in each character. */
function toBase64Url(binary: string): string {
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function fromBase64Url(text: string): unknown {
  try {
    const json = parseJson(atob(text.replaceAll('-', '+').replaceAll('_', '/')))
    return json.ok ? json.value : null
  } catch {
    return null
  }
}
