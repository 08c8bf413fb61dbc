/** Range requests (RFC 9110, section 14), one range of bytes at a time. */

/** Of a body: from the first to the last byte, both included. */
export interface ByteRange {
  first: number
  last: number
}

const RANGE = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i

/** Null: the whole, as a server may answer what it does not understand, several ranges included. */
export function byteRangeOf(header: string | null, length: number): ByteRange | 'unsatisfiable' | null {
  const [, from = '', to = ''] = RANGE.exec(header?.trim() ?? '') ?? []
  if (from === '' && to === '') return null
  if (from === '') return suffix(Number(to), length)
  const first = Number(from)
  if (to !== '' && Number(to) < first) return null
  if (first >= length) return 'unsatisfiable'
  return { first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) }
}

/** The last so many bytes. */
function suffix(count: number, length: number): ByteRange | 'unsatisfiable' {
  return count === 0 || length === 0 ? 'unsatisfiable' : { first: Math.max(0, length - count), last: length - 1 }
}
