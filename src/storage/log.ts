/**
 * The event log: one row for each commit, or several pieces of one where it is large (rule LOG4), never rewritten. Reads go
 * by ranges of the primary key, a bounded batch at a time, and never tear a commit: what bounds a page are whole commits and
 * their bytes. Storage does not know the head: that seqs follow on from the commit before is the caller's to keep.
 * The newest commit may be kept in memory; what a transaction might still roll back never is.
 */
import { lastSeqOf, type Commit } from '../protocol/commit.ts'
import { limits } from '../protocol/limits.ts'
import { asObject, checkVersion, lift, parseObject, versionOf, type Upgrade } from './formats.ts'
import { join, split, type Body } from './pieces.ts'
import { logEdge, logId } from './row-ids.ts'
import type { Schema } from './schema.ts'
import type { SqlResult, SqlValue } from './sql.ts'

/** A page holds one commit at least where there is one, and ends before the commit that would exceed either bound. */
export interface ReadBounds {
  /** `limits.pageItems` unless told. */
  commits?: number
  /** Bytes of stored JSON, `limits.pageBytes` unless told. */
  bytes?: number
}

export interface CommitPage {
  commits: Commit[]
  /** Of stored JSON. */
  bytes: number
  /** True: nothing lies beyond. False: something may. */
  ended: boolean
}

interface StoredCommit {
  lastSeq: number
  version: number
  bodies: Body[]
  bytes: number
}

interface Piece {
  lastSeq: number
  piece: number
  version: number
  pieces: number
  body: Body
  bytes: number
}

/** The pieces of one commit, as far as a batch held them. */
type Pieces = [Piece, ...Piece[]]

/** Rows that one statement may return, 1 MiB each at worst: they are in memory all at once, of the 128 MB there are. */
const BATCH_ROWS = 16

/** The newest commit stays in memory where its JSON is smaller, and so in one row. */
const REMEMBERED_BYTES = 64 * 1024

/** Commits that were appended and are small enough to be remembered: measured once, for however many logs are told. */
const rememberable = new WeakSet<Commit>()

const encoder = new TextEncoder()

const selection = 'SELECT last_seq, piece, version, pieces, body, octet_length(body) AS bytes FROM log'
const rest = `${selection} WHERE id BETWEEN ? AND ?`

/** One way through the log: a statement, and the id that it takes to begin beyond a seq. */
interface Direction {
  statement: string
  edge: (seq: number) => number
}

const forward: Direction = { statement: `${selection} WHERE id >= ? ORDER BY id LIMIT ?`, edge: (afterSeq) => logEdge(afterSeq + 1) }
const backward: Direction = { statement: `${selection} WHERE id < ? ORDER BY id DESC LIMIT ?`, edge: logEdge }

export class EventLog {
  readonly #schema: Schema
  readonly #upgrades: readonly Upgrade[]
  #newest: Commit | null = null

  constructor(schema: Schema, upgrades: readonly Upgrade[]) {
    this.#schema = schema
    this.#upgrades = upgrades
  }

  /** Answers the rows it took. Several are only one commit inside a transaction, which is the caller's; see `remember`. */
  append(commit: Commit): number {
    const lastSeq = lastSeqOf(commit)
    checkSeqs(commit.events, lastSeq)
    this.#schema.prepareWrite()
    const json = JSON.stringify({ events: commit.events, command: commit.command })
    const pieces = split(json)
    const version = versionOf(this.#upgrades)
    for (const [piece, body] of pieces.entries()) {
      this.#schema.exec(
        'INSERT INTO log (id, version, pieces, body) VALUES (?, ?, ?, ?)',
        logId(lastSeq, piece),
        version,
        pieces.length,
        body,
      )
    }
    if (isRememberable(json)) rememberable.add(commit)
    return pieces.length
  }

  /**
   * Spares `at` a read of the newest commit. To be called after its transaction succeeded, with every commit and the very
   * object that was appended, here or through another log of the same session: it takes the place of the one before, even
   * if it is too large to be kept itself. From then on nobody may change it.
   */
  remember(commit: Commit): void {
    this.#newest = rememberable.has(commit) ? commit : null
  }

  forget(): void {
    this.#newest = null
  }

  /** Commits with an event after `afterSeq`, oldest first; the first may begin at or before it. */
  after(afterSeq: number, bounds: ReadBounds = {}): CommitPage {
    return this.#page(this.#scan(forward, afterSeq, commitsOf(bounds)), bounds)
  }

  /** Commits with an event before `beforeSeq` (null: all), newest first; the first may end at or after it. */
  before(beforeSeq: number | null, bounds: ReadBounds = {}): CommitPage {
    return this.#page(this.#scanBefore(beforeSeq, commitsOf(bounds)), bounds)
  }

  /** The commit that holds the event with this seq; the newest is the very object that was remembered. */
  at(seq: number): Commit | null {
    const newest = this.#newest
    if (newest && firstSeqOf(newest) <= seq && seq <= lastSeqOf(newest)) return newest
    const [commit] = this.after(seq - 1, { commits: 1 }).commits
    return commit && firstSeqOf(commit) <= seq ? commit : null
  }

  #page(scan: Iterable<StoredCommit>, bounds: ReadBounds): CommitPage {
    const page: CommitPage = { commits: [], bytes: 0, ended: true }
    for (const stored of scan) {
      if (page.commits.length > 0 && page.bytes + stored.bytes > (bounds.bytes ?? limits.pageBytes)) return { ...page, ended: false }
      page.commits.push(this.#parse(stored))
      page.bytes += stored.bytes
    }
    return { ...page, ended: page.commits.length < commitsOf(bounds) }
  }

  *#scanBefore(beforeSeq: number | null, limit: number): Generator<StoredCommit, void> {
    let left = limit
    if (beforeSeq !== null) {
      const [around] = this.#scan(forward, beforeSeq - 1, 1)
      if (around && firstSeqOf(this.#parse(around)) < beforeSeq) {
        yield around
        left -= 1
      }
    }
    yield* this.#scan(backward, beforeSeq ?? Number.MAX_SAFE_INTEGER, left)
  }

  /** Up to `limit` commits beyond a seq, which is not counted. */
  *#scan({ statement, edge }: Direction, from: number, limit: number): Generator<StoredCommit, void> {
    let position = from
    let left = limit
    while (left > 0 && this.#schema.readable()) {
      const wanted = Math.min(left, BATCH_ROWS)
      const batch = this.#schema.exec(statement, edge(position), wanted).map(toPiece)
      for (const found of groupByCommit(batch)) {
        position = found[0].lastSeq
        left -= 1
        yield toCommit(this.#complete(found))
      }
      if (batch.length < wanted) return
    }
  }

  /** The last commit of a batch may lack pieces: its later ones if the batch went forward, its earlier ones if back. */
  #complete(found: Pieces): Pieces {
    const { lastSeq, piece: first, pieces: total } = found[0]
    const [low, high] = first === 0 ? [found.length, total - 1] : [0, first - found.length]
    if (low <= high) found.push(...this.#schema.exec(rest, logId(lastSeq, low), logId(lastSeq, high)).map(toPiece))
    if (found.length !== total) throw new Error(`The commit at seq ${lastSeq} has ${found.length} of ${total} pieces.`)
    return found.sort((a, b) => a.piece - b.piece)
  }

  #parse({ lastSeq, version, bodies }: StoredCommit): Commit {
    checkVersion('event', version, versionOf(this.#upgrades))
    const stored = parseObject('commit', join(bodies))
    if (!Array.isArray(stored.events)) throw new Error(`The commit at seq ${lastSeq} has no events.`)
    const events = stored.events.map((event) => lift(asObject('event', event), version, this.#upgrades))
    checkSeqs(events, lastSeq)
    return { ...stored, events } as Commit
  }
}

/** A UTF-16 unit takes a byte of UTF-8 at least: what is large is not encoded only to be measured. */
function isRememberable(json: string): boolean {
  return json.length < REMEMBERED_BYTES && encoder.encode(json).length < REMEMBERED_BYTES
}

function commitsOf(bounds: ReadBounds): number {
  return bounds.commits ?? limits.pageItems
}

function firstSeqOf(commit: Commit): number {
  return lastSeqOf(commit) - commit.events.length + 1
}

/** On writing and on reading: a gap or a double would be copied into every client's history. */
function checkSeqs(events: readonly { seq?: unknown }[], lastSeq: number): void {
  const isGapless = events.every((event, index) => event.seq === lastSeq - events.length + 1 + index)
  if (events.length === 0 || !isGapless) throw new Error(`The commit at seq ${lastSeq} is empty or has a gap in its seqs.`)
}

function groupByCommit(batch: Piece[]): Pieces[] {
  const groups: Pieces[] = []
  for (const piece of batch) {
    const group = groups.at(-1)
    if (group?.[0].lastSeq === piece.lastSeq) group.push(piece)
    else groups.push([piece])
  }
  return groups
}

function toCommit(pieces: Pieces): StoredCommit {
  const { lastSeq, version } = pieces[0]
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
  return { lastSeq, version, bodies: pieces.map((piece) => piece.body), bytes }
}

function toPiece(row: SqlResult['rows'][number]): Piece {
  const { body } = row
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new Error('A row of the log has no body.')
  return {
    lastSeq: toInteger(row.last_seq),
    piece: toInteger(row.piece),
    version: toInteger(row.version),
    pieces: toInteger(row.pieces),
    bytes: toInteger(row.bytes),
    body,
  }
}

function toInteger(value: SqlValue | undefined): number {
  if (typeof value !== 'number') throw new Error('A row of the log lacks a number.')
  return value
}
