/**
 * A message while it streams: its parts so far, and the deltas that were not sent yet. Deltas are coalesced, for frames
 * are the dear part of a turn: the first leaves at once, later ones when enough time has passed or text has gathered.
 *
 * - A delta never splits a surrogate pair: a high surrogate at the end waits for its other half (rule ATT2).
 * - What is said twice is said once: `parts` always equals the deltas sent plus those pending.
 */
import type { AgentEvent } from '../agents/agent.ts'
import type { DeltaFrame, DeltaKind } from '../protocol/frame.ts'
import type { Part } from '../protocol/message.ts'

/** UTF-16 units of one kind that are sent without waiting longer. */
const flushUnits = 4096

type Words = Extract<AgentEvent, { type: 'text' | 'reasoning' }>

export class MessageAssembly {
  readonly turnId: string
  readonly messageId: string
  /** The head as of which the context was built. */
  readonly contextSeq: number
  readonly parts: Extract<Part, { type: 'text' | 'reasoning' }>[] = []
  /** UTF-16 units over all parts. */
  units = 0
  #pending: { part: number; kind: DeltaKind; offset: number; text: string } | null = null
  #held = ''
  #sentAny = false

  constructor(turnId: string, messageId: string, contextSeq: number) {
    this.turnId = turnId
    this.messageId = messageId
    this.contextSeq = contextSeq
  }

  /** Adds words; answers the frames that must leave now. */
  add(words: Words): DeltaFrame[] {
    // Providers open with empty words, which make no part: parts are numbered by what is kept.
    if (words.text === '') return []
    const frames = this.#openPart(words.type)
    const text = this.#wholeCharacters(words.text)
    if (text === '') return frames
    this.#append(words.type, text)
    if (!this.#sentAny || (this.#pending?.text.length ?? 0) >= flushUnits) frames.push(...this.flush())
    return frames
  }

  /** True while words wait to be sent. */
  get hasPending(): boolean {
    return this.#pending !== null
  }

  /** Everything that waits, as a frame. */
  flush(): DeltaFrame[] {
    const pending = this.#pending
    if (!pending) return []
    this.#pending = null
    this.#sentAny = true
    return [{ type: 'delta', turnId: this.turnId, messageId: this.messageId, ...pending }]
  }

  /** No more words come: what was held back is let go, half a character becomes U+FFFD. */
  end(): DeltaFrame[] {
    return [...this.#releaseHeld(), ...this.flush()]
  }

  /** A copy of the parts, with no part empty. */
  snapshot(): Part[] {
    return this.parts.filter((part) => part.text !== '').map((part) => ({ ...part }))
  }

  #openPart(kind: Words['type']): DeltaFrame[] {
    if (this.parts.at(-1)?.type === kind) return []
    const frames = this.end()
    this.parts.push({ type: kind, text: '' })
    return frames
  }

  #append(kind: Words['type'], text: string): void {
    const part = this.parts.at(-1)
    if (!part) return
    const offset = part.text.length
    part.text += text
    this.units += text.length
    if (this.#pending) this.#pending.text += text
    else this.#pending = { part: this.parts.length - 1, kind, offset, text }
  }

  #wholeCharacters(text: string): string {
    const joined = this.#held + text
    const cut = isHighSurrogate(joined.charCodeAt(joined.length - 1)) ? joined.length - 1 : joined.length
    this.#held = joined.slice(cut)
    return joined.slice(0, cut).toWellFormed()
  }

  #releaseHeld(): DeltaFrame[] {
    const kind = this.parts.at(-1)?.type
    if (this.#held === '' || !kind) return []
    this.#append(kind, this.#held.toWellFormed())
    this.#held = ''
    return []
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
