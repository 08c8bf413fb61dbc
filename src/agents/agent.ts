/**
 * What an agent is to a session: a function from a context to words, one step at a time. The session owns the loop, the
 * log and the recovery; an agent owns nothing durable and may be cut at any await.
 */
import type { Message, TokenUsage } from '../protocol/message.ts'

/** One step: one answer to one context. */
export interface StepRequest {
  sessionId: string
  turnId: string
  /** 1 for the first step of the turn, counted on across recoveries. */
  step: number
  instructions: string | null
  model: string | null
  /** What the agent may know: the newest whole turns that fit its window, behind a marker where something was left out. */
  context: Message[]
  /** Estimate of what the context takes, at four characters a token. */
  contextTokens: number
  /** Inputs that were steered into the turn and are consumed by this step; they stand at the end of `context`. */
  steered: Message[]
  /** True while a steered input waits: an agent may end its step early, with finish reason `steered`, to take it up. */
  steerWaiting(): boolean
  /** Aborted when the turn was cancelled or superseded. After that nothing the agent says counts. */
  signal: AbortSignal
  /** Waits; rejects with the signal's reason when aborted. */
  sleep(ms: number): Promise<void>
}

/** What an agent says, in order. Consecutive text of one kind makes one part of the message. */
export type AgentEvent =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  /** Ends the step. `stop`: the answer is complete; `steered`: cut short for a steered input, another step follows. */
  | { type: 'finish'; finishReason: 'stop' | 'length' | 'steered'; usage: TokenUsage }

export interface Agent {
  readonly name: string
  /** One sentence for people. */
  readonly description: string
  /** Tokens of context the agent can take. */
  readonly window: number
  /** What becomes of a turn whose object died: done again from the last durable step, or ended as interrupted. */
  readonly recovery: 'resume' | 'interrupt'
  /** Throws `AgentError` for a failure people should read; anything else is reported without its words. */
  step(request: StepRequest): AsyncIterable<AgentEvent>
}

/** A failure whose message is meant for people; it becomes the turn's `error` (code `internal`, not retryable unless said). */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly retryable: boolean
  constructor(message: string, retryable = false) {
    super(message)
    this.retryable = retryable
  }
}

/** The agents this server has, by name. */
export interface AgentRegistry {
  get(name: string): Agent | null
  list(): Agent[]
  /** Who answers a session that names no agent. */
  readonly defaultName: string
}
