/**
 * What the log may say of one turn's tool calls and of the people who are asked about them, written from the rules. A call
 * is made, perhaps asked about, perhaps started, and gets one result; nothing else.
 */
import type { Approval } from '../../src/protocol/approval.ts'
import type { Event, EventOf } from '../../src/protocol/event.ts'
import type { ToolResultPart } from '../../src/protocol/message.ts'
import type { Settings } from '../../src/protocol/session.ts'
import { problemOf } from './simulated-tools.ts'
import { actionOf, isTool, toolRules } from './tool-rules.ts'

export interface ModelCall {
  toolCallId: string
  toolName: string
  input: unknown
  status: 'open' | 'asked' | 'allowed' | 'refused' | 'withdrawn' | 'started' | 'ended'
  approval: Approval | null
  /** How often it was started. */
  starts: number
  result: ToolResultPart | null
}

export type CallEvent = EventOf<'turn.waiting' | 'tool.started' | 'approval.requested' | 'approval.resolved' | 'note.written'>

type Violate = (rule: string, event: Event, message: string) => void

export class CallModel {
  readonly all = new Map<string, ModelCall>()
  /** When it began to wait; null: it does not. */
  waitsSince: number | null = null
  /** Spent on waiting so far. */
  waitedMs = 0
  #recoveries = 0
  readonly #violate: Violate

  constructor(violate: Violate) {
    this.#violate = violate
  }

  /** Those without a result. */
  get open(): ModelCall[] {
    return [...this.all.values()].filter(({ status }) => status !== 'ended')
  }

  get asked(): ModelCall[] {
    return this.open.filter(({ status }) => status === 'asked')
  }

  /** A step's message: all that was called before it has its result. */
  made({ message, ...event }: EventOf<'message.completed'>): void {
    const told = { ...event, message }
    if (this.open.length > 0) this.#violate('TOOL1', told, `speaks while ${this.open.map((call) => call.toolCallId).join()} have no result`)
    if (this.waitsSince !== null) this.#violate('APR1', told, 'speaks while its turn waits')
    for (const part of message.parts) {
      if (part.type !== 'tool-call') continue
      if (this.all.has(part.toolCallId)) this.#violate('TOOL1', told, `uses the id ${part.toolCallId} again`)
      const { toolCallId, toolName, input } = part
      this.all.set(toolCallId, { toolCallId, toolName, input, status: 'open', approval: null, starts: 0, result: null })
    }
  }

  /** A message of role tool: it ends one call, which was started, or refused in one way or another. */
  ended(event: EventOf<'message.completed'>, settings: Settings): void {
    const [result, ...others] = event.message.parts
    if (result?.type !== 'tool-result' || others.length > 0) return this.#violate('TOOL1', event, 'is not one result')
    const call = this.all.get(result.toolCallId)
    if (!call || call.toolName !== result.toolName) return this.#violate('TOOL1', event, 'answers a call that nobody made')
    if (call.status === 'ended' || call.status === 'asked' || call.status === 'allowed' || call.status === 'withdrawn') {
      this.#violate('TOOL1', event, `answers a call that is ${call.status}`)
    }
    if (call.status === 'open' && this.#expected(call, settings) !== 'refuse')
      this.#violate('TOOL5', event, 'refuses what may run or be asked')
    if (call.status !== 'started' && !result.isError) this.#violate('APR5', event, 'answers a call that never started as if it had')
    call.status = 'ended'
    call.result = result
  }

  take(event: CallEvent, settings: Settings, expiresInMs: number): void {
    switch (event.type) {
      case 'turn.waiting':
        return this.#waits(event)
      case 'tool.started':
        return this.#started(event, settings)
      case 'approval.requested':
        return this.#requested(event, settings, expiresInMs)
      case 'approval.resolved':
        return this.#resolved(event)
      case 'note.written':
        if (!this.open.some(({ status, toolName }) => status === 'started' && toolName === 'note'))
          this.#violate('TOOL1', event, 'is noted by nobody')
    }
  }

  resumed(event: EventOf<'turn.resumed'>): void {
    if ((event.reason === 'approval') !== (this.waitsSince !== null))
      this.#violate('APR1', event, 'goes on though nothing was waited for, or without it')
    if (this.waitsSince !== null) this.waitedMs += event.at - this.waitsSince
    this.waitsSince = null
    if (event.reason === 'recovery') this.#recoveries += 1
    if (event.reason === 'retry' && this.open.length > 0) this.#violate('AGT3', event, 'makes a model call again whose tools run')
  }

  /** The turn is over: nobody is asked any more. */
  over(event: Event & { at: number }): void {
    if (this.asked.length > 0) this.#violate('APR2', event, `leaves ${this.asked.map(({ approval }) => approval?.id).join()} open`)
    if (this.waitsSince !== null) this.waitedMs += event.at - this.waitsSince
    this.waitsSince = null
  }

  /** Withdrawn means: with the turn. Nothing else comes in between. */
  checkWithdrawal(event: Event): void {
    const isWithdrawn = [...this.all.values()].some(({ status }) => status === 'withdrawn')
    if (isWithdrawn && event.type !== 'approval.resolved') this.#violate('APR2', event, 'comes after an approval was withdrawn')
  }

  #waits(event: EventOf<'turn.waiting'>): void {
    const { open, asked } = this
    if (this.waitsSince !== null) this.#violate('APR1', event, 'waits again while it waits')
    if (asked.length === 0 || asked.length < open.length) this.#violate('APR1', event, 'waits though not for people alone')
    if (event.approvalIds.join() !== asked.map(({ approval }) => approval?.id).join())
      this.#violate('APR1', event, 'waits for others than are asked')
    this.waitsSince = event.at
  }

  #started(event: EventOf<'tool.started'>, settings: Settings): void {
    const call = this.#callOf(event, event.toolCallId)
    if (!call) return
    if (this.waitsSince !== null) this.#violate('APR1', event, 'starts while its turn waits')
    if (call.status === 'open' && this.#expected(call, settings) !== 'run') this.#violate('TOOL5', event, 'starts what may not run')
    else if (call.status === 'started' && (this.#recoveries < call.starts || !isIdempotent(call)))
      this.#violate('TOOL2', event, 'starts again')
    else if (!['open', 'allowed', 'started'].includes(call.status)) this.#violate('APR5', event, `starts a call that is ${call.status}`)
    call.status = 'started'
    call.starts += 1
  }

  #requested(event: EventOf<'approval.requested'>, settings: Settings, expiresInMs: number): void {
    const { approval } = event
    const call = this.#callOf(event, approval.toolCallId)
    if (!call) return
    if (call.status !== 'open') this.#violate('APR2', event, 'asks about a call again')
    if (this.#expected(call, settings) !== 'ask') this.#violate('TOOL5', event, 'asks about what needs no asking, or may not run')
    if (JSON.stringify(approval.input) !== JSON.stringify(call.input))
      this.#violate('APR4', event, 'shows another input than was called with')
    const isFair = approval.status === 'pending' && approval.requestedAt === event.at && approval.expiresAt === event.at + expiresInMs
    if (!isFair) this.#violate('APR3', event, `should be pending for ${expiresInMs} ms`)
    call.status = 'asked'
    call.approval = approval
  }

  #resolved(event: EventOf<'approval.resolved'>): void {
    const { approval } = event
    const call = this.#callOf(event, approval.toolCallId)
    if (!call) return
    if (call.status !== 'asked' || call.approval?.id !== approval.id) this.#violate('APR2', event, `ends what is ${call.status}`)
    const isOver = event.at >= approval.expiresAt
    if (approval.status === 'expired' && !isOver) this.#violate('APR3', event, 'expires too early')
    if ((approval.status === 'allowed' || approval.status === 'denied') && isOver) this.#violate('APR3', event, 'was answered too late')
    if (approval.status === 'withdrawn') call.status = 'withdrawn'
    else call.status = approval.status === 'allowed' ? 'allowed' : 'refused'
    call.approval = approval
  }

  #expected({ toolName, input }: ModelCall, settings: Settings): 'run' | 'ask' | 'refuse' {
    if (!isTool(toolName) || problemOf(input) !== null) return 'refuse'
    return ({ allow: 'run', ask: 'ask', deny: 'refuse' } as const)[actionOf(toolName, settings)]
  }

  #callOf(event: Event, toolCallId: string): ModelCall | null {
    const call = this.all.get(toolCallId)
    if (!call) this.#violate('TOOL1', event, 'is of a call that nobody made')
    return call ?? null
  }
}

export function isIdempotent({ toolName }: Pick<ModelCall, 'toolName'>): boolean {
  return isTool(toolName) && toolRules[toolName].idempotent
}
