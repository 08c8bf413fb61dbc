/**
 * Where rows stand. Both tables have one INTEGER PRIMARY KEY, made here of the numbers that a row is found by, so that every
 * read is a range of ids. Not a WITHOUT ROWID table with a key of several columns: a seek in one compares whole rows, the
 * pages that a large body overflows into included; a seek by id compares integers. Invariant: ids are integers from 0 on
 * and below 2^53, which JavaScript holds exactly. Writing beyond throws; reading beyond finds nothing.
 */
export const PIECES_PER_COMMIT = 2 ** 10
const COMMIT_SEQS = 2 ** 43

export const SEQS_PER_KIND = 2 ** 44

/**
 * Stored, so a number is never given to another kind. Snapshots have the highest: each new one then goes to the end of the
 * table, where SQLite fills pages up instead of halving them.
 */
export const slotKinds = { layout: 0, erased: 1, idempotency: 2, partial: 3, output: 4, snapshot: 64 } as const
export type SlotKind = keyof typeof slotKinds

/** Of a piece of the commit whose last event is at `lastSeq`. */
export function logId(lastSeq: number, piece: number): number {
  checkBelow(COMMIT_SEQS, lastSeq)
  checkBelow(PIECES_PER_COMMIT, piece)
  return lastSeq * PIECES_PER_COMMIT + piece
}

/** The ids from here on are those of the commits that end at `seq` or later. */
export function logEdge(seq: number): number {
  return clamp(seq, 0, COMMIT_SEQS) * PIECES_PER_COMMIT
}

export function slotId(kind: SlotKind, seq: number): number {
  checkBelow(SEQS_PER_KIND, seq)
  return slotKinds[kind] * SEQS_PER_KIND + seq
}

/** The first id and the last of a kind's seqs from `low` to `high`, both included: never an id of another kind. */
export function slotRange(kind: SlotKind, low: number, high: number): [number, number] {
  const origin = slotId(kind, 0)
  return [origin + clamp(low, 0, SEQS_PER_KIND), origin + clamp(high, -1, SEQS_PER_KIND - 1)]
}

function clamp(seq: number, lowest: number, highest: number): number {
  return Math.min(Math.max(seq, lowest), highest)
}

/** A row at a place that is not its own would be read as another one. */
function checkBelow(end: number, number: number): void {
  if (!Number.isInteger(number) || number < 0 || number >= end) throw new Error(`No row can stand at ${number}; the end is ${end}.`)
}
