/**
 * The state of a session: what `reduce` makes of its events, and all that `decide` looks at. It is small and bounded and
 * holds seqs, never bodies (rule LOG6): words are read from the log when they are needed.
 */
import type { By } from '../protocol/by.ts'
import type { TokenUsage } from '../protocol/message.ts'
import type { SessionUsage, Settings } from '../protocol/session.ts'
import type { Recovery, TurnCost, TurnSource } from '../protocol/turn.ts'
import type { RememberedCommand } from '../protocol/commit.ts'

export interface SessionState {
  sessionId: string
  head: number
  /** Of the newest event; `at` never goes backwards (rule LOG1). */
  lastAt: number
  createdAt: number
  title: string | null
  agent: string
  model: string | null
  tags: string[]
  archived: boolean
  settings: Settings
  /** Events that hold the latest metadata and instructions; null: none. */
  metadataSeq: number | null
  instructionsSeq: number | null
  parent: { id: string; seq: number } | null
  /** Of the command that made the session, so that a repeated create is told from another one for ever. */
  creationFingerprint: string | null
  /** Seq of the newest `tokens.revoked`: session tokens carry it, and only the latest is good. 0: never revoked. */
  tokenEpoch: number
  active: ActiveTurn | null
  queue: QueuedTurn[]
  context: ContextWindow
  usage: SessionUsage
  /** Of the newest message on the path; null before the first. */
  lastMessageSeq: number | null
  /** The newest turn boundary: seq of a turn's terminal event, or of the session's creation. */
  boundarySeq: number
  /** What the agent has noted, oldest first: where each note's words are. */
  notes: { key: string; seq: number }[]
}

/** An admitted input and where its words are. */
export interface QueuedTurn {
  turnId: string
  queuedSeq: number
  queuedAt: number
  by: By
  source: TurnSource
  /** Seqs of its `turn.queued` and every `turn.amended`. */
  inputSeqs: number[]
  /** Estimated tokens, bytes of stored JSON, and number of parts of all its input. */
  tokens: number
  bytes: number
  parts: number
}

/** The one turn that runs or waits. */
export interface ActiveTurn extends QueuedTurn {
  status: 'running' | 'waiting'
  /** Who answers it, whatever the session's agent becomes meanwhile. */
  agent: string
  startedSeq: number
  startedAt: number
  /** Seq of the `turn.started` or `turn.resumed` that lets its runner speak; older generations are dropped (rule TRN5). */
  generation: number
  attempt: number
  /** Attempts since the last durable progress; recovery gives up beyond a bound. */
  fruitlessAttempts: number
  /** Steps done: messages of the assistant that are durable. */
  steps: number
  /** Steered inputs that no step has consumed yet. */
  steers: Steer[]
  /** What becomes of it if its object dies: done again from the last durable step, or ended as interrupted. */
  recovery: Recovery
  /** What it had cost, tokens aside, when it last began to wait; null: it never waited. */
  costBeforeWait: TurnCost | null
  /** Tokens of its steps so far. */
  usage: TokenUsage
  /** Of the agent, as the turn's first step had it: later steps keep to it, whatever is changed meanwhile. Null: none yet. */
  agentVersion: string | null
  /** Calls of the newest step that have no result yet, in the order in which the model made them. */
  calls: OpenCall[]
}

export interface OpenCall {
  toolCallId: string
  toolName: string
  /** Of the `message.completed` that holds the call. */
  callSeq: number
  /** `asked`: a person is to answer first; `started`: it may have had its effect; `open`: neither, within a commit. */
  status: 'open' | 'asked' | 'started'
  idempotent: boolean
  /** Asked for, and perhaps given: where its words are, and when it expires. */
  approval: { id: string; requestedSeq: number; expiresAt: number } | null
}

export interface Steer {
  seq: number
  by: By
  source: TurnSource
  tokens: number
  bytes: number
}

/**
 * Which messages the model gets: the newest whole turns that fit the window. They are counted in spans of neighbouring
 * turns, a bounded number of them; beyond it the two smallest neighbours become one. The oldest span is dropped whole,
 * so that up to `maxContextSpans` turns are exact, and longer contexts lose a little more at a time (which keeps the
 * start of the prompt stable for providers' caches).
 */
export interface ContextWindow {
  /** Tokens that the agent's model takes. */
  window: number
  /** Oldest first; the last one is the newest turn's. */
  spans: ContextSpan[]
  /** Messages before the first span. */
  omittedMessages: number
}

export interface ContextSpan {
  /** Seq of the `turn.started` it begins with. */
  fromSeq: number
  turns: number
  messages: number
  tokens: number
}

/** The newest commands that came with an idempotency key, oldest first. */
export type IdempotencyWindow = RememberedCommand[]

export const noTokenUsage: TokenUsage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
