/** Commits, states and partials that look like real ones. */
import type { Commit } from '../../src/protocol/commit.ts'
import { reduce } from '../../src/core/reduce.ts'
import type { SessionState } from '../../src/core/state.ts'
import type { Event } from '../../src/protocol/event.ts'
import { turnIdAt } from '../../src/protocol/ids.ts'
import type { StoredPartial } from '../../src/storage/partial-text.ts'

const turnId = turnIdAt(1, 'A'.repeat(16))

/** One commit with an event for each text. */
export function commitOf(firstSeq: number, texts: string[]): Commit {
  const events = texts.map((text, index): Event => {
    return { type: 'turn.amended', seq: firstSeq + index, at: 1_000 + firstSeq, turnId, parts: [{ type: 'text', text }] }
  })
  return { events }
}

/** Gapless commits, the first event at seq 1. */
export function commitsOf(texts: string[][]): Commit[] {
  let nextSeq = 1
  return texts.map((ofCommit) => {
    const commit = commitOf(nextSeq, ofCommit)
    nextSeq += ofCommit.length
    return commit
  })
}

export function stateAt(head: number): SessionState {
  const sessionId = `ses_${'0'.repeat(26)}`
  const created = reduce(null, { type: 'session.created', seq: 1, at: 1_000, sessionId, agent: 'demo', title: 'Grüße 🐭', window: 32_000 })
  return { ...created, head, lastAt: 1_000 + head }
}

export function partialOf(generation: number, text: string): StoredPartial {
  const ids = { generation, turnId, messageId: `msg_${'0'.repeat(26)}` }
  return { ...ids, parts: [{ type: 'text', text }], contextSeq: generation, activeMs: 7, rowsRead: 3, rowsWritten: 2 }
}
