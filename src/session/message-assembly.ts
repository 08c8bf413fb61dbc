/**
 * A message while it streams: its parts so far, and the deltas that were not sent yet. Deltas are coalesced, for frames
 * are the dear part of a turn: the first leaves at once, later ones when enough time has passed or text has gathered.
 *
 * - A delta never splits a surrogate pair: a high surrogate at the end waits for its other half (rule ATT2).
 * - What is said twice is said once: the parts' text always equals the deltas sent plus those pending.
 * - Parts are numbered as they begin; the inputs of parallel tool calls may grow side by side.
 */
import type { AgentEvent } from '../agents/agent.ts'
import type { DeltaFrame, DeltaKind } from '../protocol/frame.ts'
import { toolCallIdAt } from '../protocol/ids.ts'
import { parseJson } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'
import type { Part, ProviderMetadata } from '../protocol/message.ts'

/** UTF-16 units of one kind that are sent without waiting longer. */
const flushUnits = 4096

type EventOf<T extends AgentEvent['type']> = Extract<AgentEvent, { type: T }>
type Speech = Exclude<AgentEvent, { type: 'finish' }>

interface Segment {
  /** Its place in the message. */
  index: number
  kind: DeltaKind
  /** Of a tool call: the JSON of its input, as far as it came. */
  text: string
  /** A high surrogate that waits for its other half. */
  held: string
  metadata: ProviderMetadata | null
  call: Call | null
}

interface Call {
  toolCallId: string
  toolName: string
  /** Null while its input is being written. */
  made: { input: unknown; problem: string | null } | null
}

/** A complete call, with what makes it impossible to run, if anything does. */
export interface MadeCall {
  toolName: string
  input: unknown
  problem: string | null
}

export class MessageAssembly {
  readonly turnId: string
  readonly messageId: string
  /** The head as of which the context was built. */
  readonly contextSeq: number
  /** UTF-16 units over all parts. */
  units = 0
  readonly #segments: Segment[] = []
  /** The segment that words of its kind go on with; null: the next ones begin a part. */
  #current: Segment | null = null
  readonly #calls = new Map<string, Segment>()
  #pending: { part: number; kind: DeltaKind; offset: number; text: string } | null = null
  #sentAny = false

  constructor(turnId: string, messageId: string, contextSeq: number) {
    this.turnId = turnId
    this.messageId = messageId
    this.contextSeq = contextSeq
  }

  /** Adds what the agent said; answers the frames that must leave now. */
  add(event: Speech): DeltaFrame[] {
    switch (event.type) {
      case 'text':
      case 'reasoning':
        // Providers open with empty words, which make no part: parts are numbered by what is kept.
        return event.text === '' ? [] : this.#grow(() => this.#wordsSegment(event.type), event.text)
      case 'part-end':
        return this.#endPart(event)
      case 'tool-input':
        if (event.text === '' && !this.#calls.has(event.call)) return []
        return this.#grow(() => this.#callSegment(event), event.text)
      case 'tool-call':
        return this.#makeCall(event)
    }
  }

  /** Nothing more fits into it. */
  get isFull(): boolean {
    return this.units >= limits.messageBytes || this.#calls.size >= limits.toolCallsPerMessage
  }

  /** True while words wait to be sent. */
  get hasPending(): boolean {
    return this.#pending !== null
  }

  /** Whether anybody may have seen a part of it. */
  get hasSpoken(): boolean {
    return this.#sentAny || this.#segments.length > 0
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
    return [...this.#segments.flatMap((segment) => this.#release(segment)), ...this.flush()]
  }

  /** A copy of the parts as a client that watches has them, calls in the making included. */
  snapshot(): Part[] {
    return this.#segments.filter(isVisible).map(toPart)
  }

  /** The parts to keep if the step ends here: a call that was never finished was never made. */
  said(): Part[] {
    return this.#segments.filter((segment) => isVisible(segment) && segment.call?.made !== null).map(toPart)
  }

  /** The calls of `said`, in their order. */
  calls(): MadeCall[] {
    return this.#segments.flatMap(({ call }) => (call?.made ? [{ toolName: call.toolName, ...call.made }] : []))
  }

  #grow(segmentOf: () => Segment, text: string): DeltaFrame[] {
    const { segment, frames } = this.#enter(segmentOf)
    const whole = wholeCharacters(segment, text)
    if (whole === '') return frames
    frames.push(...this.#append(segment, whole))
    if (!this.#sentAny || (this.#pending?.text.length ?? 0) >= flushUnits) frames.push(...this.flush())
    return frames
  }

  /** What is said goes on in another part: words that it leaves let go what they held back. */
  #enter(segmentOf: () => Segment): { segment: Segment; frames: DeltaFrame[] } {
    const before = this.#current
    const segment = segmentOf()
    const frames = before && before !== segment && before.call === null ? this.#release(before) : []
    return { segment, frames }
  }

  #wordsSegment(kind: 'text' | 'reasoning'): Segment {
    return this.#current?.kind === kind ? this.#current : this.#open(kind, null)
  }

  #callSegment({ call, toolName }: { call: string; toolName: string }): Segment {
    const known = this.#calls.get(call)
    this.#current = known ?? null
    if (known) return known
    const toolCallId = toolCallIdAt(this.messageId, this.#calls.size)
    const opened = this.#open('tool-input', { toolCallId, toolName, made: null })
    this.#calls.set(call, opened)
    return opened
  }

  #open(kind: DeltaKind, call: Call | null): Segment {
    const segment = { index: this.#segments.length, kind, text: '', held: '', metadata: null, call }
    this.#segments.push(segment)
    this.#current = segment
    return segment
  }

  #endPart({ part, metadata }: EventOf<'part-end'>): DeltaFrame[] {
    const { segment, frames } = this.#enter(() => this.#wordsSegment(part))
    segment.metadata = metadata
    this.#current = null
    return [...frames, ...this.#release(segment)]
  }

  #makeCall(event: EventOf<'tool-call'>): DeltaFrame[] {
    const isNew = !this.#calls.has(event.call)
    const opening = isNew ? this.#grow(() => this.#callSegment(event), JSON.stringify(event.input) ?? '') : []
    const { segment, frames } = this.#enter(() => this.#callSegment(event))
    if (segment.call) segment.call.made = madeOf(event)
    segment.metadata = event.metadata ?? null
    this.#current = null
    return [...opening, ...frames, ...this.#release(segment)]
  }

  #append(segment: Segment, text: string): DeltaFrame[] {
    const frames = this.#pending && this.#pending.part !== segment.index ? this.flush() : []
    const offset = segment.text.length
    segment.text += text
    this.units += text.length
    if (this.#pending) this.#pending.text += text
    else this.#pending = { part: segment.index, kind: segment.kind, offset, text }
    return frames
  }

  #release(segment: Segment): DeltaFrame[] {
    if (segment.held === '') return []
    const { held } = segment
    segment.held = ''
    return this.#append(segment, held.toWellFormed())
  }
}

/** What of the text may leave now; a high surrogate at its end stays behind. */
function wholeCharacters(segment: Segment, text: string): string {
  const joined = segment.held + text
  const cut = isHighSurrogate(joined.charCodeAt(joined.length - 1)) ? joined.length - 1 : joined.length
  segment.held = joined.slice(cut)
  return joined.slice(0, cut).toWellFormed()
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** An input that no client could send (nested too deep, broken text) is kept as a text, and not run. */
function madeOf({ input, problem }: EventOf<'tool-call'>): NonNullable<Call['made']> {
  const json = JSON.stringify(input ?? null)
  const parsed = parseJson(json)
  if (parsed.ok) return { input: parsed.value, problem: problem ?? null }
  return { input: typeof input === 'string' ? input.toWellFormed() : json, problem: problem ?? parsed.error.message }
}

function isVisible({ text, metadata, call }: Segment): boolean {
  return text !== '' || metadata !== null || call !== null
}

function toPart({ kind, text, metadata, call }: Segment): Part {
  const providerMetadata = metadata === null ? {} : { providerMetadata: metadata }
  if (call) {
    const { toolCallId, toolName, made } = call
    return { type: 'tool-call', toolCallId, toolName, input: made ? made.input : text, ...providerMetadata }
  }
  return { type: kind === 'reasoning' ? 'reasoning' : 'text', text, ...providerMetadata }
}
