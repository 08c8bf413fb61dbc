/**
 * What an agent is to a session: a function from a context to words and tool calls, one step at a time. The session owns the
 * loop, the log, the tools' runs and the recovery; an agent owns nothing durable and may be cut at any await.
 */
import type { ErrorCode } from '../protocol/errors.ts'
import type { Message, ProviderMetadata, TokenUsage } from '../protocol/message.ts'
import type { Budgets, Policy } from '../protocol/policy.ts'
import type { Recovery } from '../protocol/turn.ts'
import type { Note, ToolSet } from './tools/tool.ts'

/** One step: one answer to one context. */
export interface StepRequest {
  sessionId: string
  turnId: string
  /** 1 for the first step of the turn, counted on across recoveries. */
  step: number
  /** The session's own, which take the place of the agent's; null: the agent's hold. */
  instructions: string | null
  /** What the agent may know: the newest whole turns that fit its window, behind a marker where something was left out. */
  context: Message[]
  /** Estimate of what the context takes, at four characters a token. */
  contextTokens: number
  /** What was noted in this session, oldest first. */
  notes: readonly Note[]
  /** What it may call: its own tools, as `Agent.tools` answered. */
  tools: ToolSet
  /** Inputs that were steered into the turn and are consumed by this step; they stand at the end of `context`. */
  steered: Message[]
  /** True while a steered input waits: an agent may end its step early, with finish reason `steered`, to take it up. */
  steerWaiting(): boolean
  /** Aborted when the turn was cancelled or superseded. After that nothing the agent says counts. */
  signal: AbortSignal
  /** Waits; rejects with the signal's reason when aborted. */
  sleep(ms: number): Promise<void>
}

/** What an agent says, in order. Consecutive words of one kind make one part of the message. */
export type AgentEvent =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  /** Ends the part that was being said; its provider wants `metadata` back with it in later steps. */
  | { type: 'part-end'; part: 'text' | 'reasoning'; metadata: ProviderMetadata }
  /** A call is being written: the JSON of its input, in pieces. `call` tells the calls of one step apart. */
  | { type: 'tool-input'; call: string; toolName: string; text: string }
  /** A call is complete, whether its input was streamed before or not. `problem`: why it cannot be run, for the model to read. */
  | { type: 'tool-call'; call: string; toolName: string; input: unknown; problem?: string; metadata?: ProviderMetadata }
  /**
   * Ends the step. `stop`: the answer is complete; `steered`: cut short for a steered input, another step follows. With tool
   * calls another step follows in any case. `model`: which one answered, as `provider/model`.
   */
  | { type: 'finish'; finishReason: StepFinishReason; usage: TokenUsage; model?: string }

export type StepFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'steered' | 'other'

/** What can be said of an agent without asking it. */
export interface AgentTraits {
  /** Tokens of context it can take, with the model it has in this session. */
  readonly window: number
  /** What becomes of a turn whose object died: done again from the last durable step, or ended as interrupted. */
  readonly recovery: Recovery
}

export interface Agent extends AgentTraits {
  readonly name: string
  /** One sentence for people. */
  readonly description: string
  /** Which version of its definition this is; null for agents that come with the server. Messages record it. */
  readonly version: string | null
  readonly policies: readonly Policy[]
  readonly budgets: Budgets
  readonly approvalExpiresInSeconds: number
  /**
   * Of one step: how long it may take, how long until its first word (models that think say nothing meanwhile), and how long it
   * may be silent from then on, before it counts as cut.
   */
  readonly timeouts: { stepMs: number; firstMs: number; stallMs: number }
  /** Its tools by name. Lists of MCP servers are asked once and cached; a server that is down leaves its tools out. */
  tools(): Promise<ToolSet>
  /** Throws `AgentError` for a failure people should read; anything else is reported without its words. */
  step(request: StepRequest): AsyncIterable<AgentEvent>
}

/** What the agents that come with the server keep to, and definitions that leave it out. */
export const agentDefaults = {
  policies: [],
  budgets: { steps: 32, seconds: 1800 },
  approvalExpiresInSeconds: 24 * 3600,
  timeouts: { stepMs: 600_000, firstMs: 300_000, stallMs: 60_000 },
  recovery: 'resume',
} as const satisfies Partial<Agent>

export interface AgentErrorOptions {
  /** Of the turn's error; `internal` unless said. */
  code?: ErrorCode
  /** A client that submits the same again may succeed. */
  retryable?: boolean
  /** The step may be tried again by the server itself, at the earliest after so long; null: never. */
  retryAfterMs?: number | null
}

/** A failure whose message is meant for people; it becomes the turn's `error`, unless the step is tried again with success. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly retryAfterMs: number | null
  constructor(message: string, { code = 'internal', retryable = false, retryAfterMs = null }: AgentErrorOptions = {}) {
    super(message)
    this.code = code
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }
}

/** The agents of one tenant, by name. */
export interface AgentRegistry {
  /** Who answers a session that names no agent. */
  readonly defaultName: string
  /**
   * The agent in a version (null: the newest), with the model that a session chose (null: its own). Null: there is none of
   * that name. Throws `AgentError` when that cannot be known now, or when the agent's definition cannot be used.
   */
  resolve(name: string, choice: AgentChoice): Promise<Agent | null>
  /** What was last known of it, without asking; null: nothing. */
  peek(name: string, model: string | null): AgentTraits | null
}

export interface AgentChoice {
  version: string | null
  model: string | null
}
