/**
 * What a log may say, written from the rules and not from the core: reads the events in order, keeps its own idea of the
 * queue and of the turn that runs, and objects to every event that the rules do not allow there. Also tells what a
 * session looks like at each head, for comparison with what people were shown (LOG3).
 */
import { isDeepStrictEqual } from 'node:util'
import { isTerminal, type Event, type EventOf, type TerminalEvent } from '../../src/protocol/event.ts'
import type { Message, TokenUsage } from '../../src/protocol/message.ts'
import type { Budgets } from '../../src/protocol/policy.ts'
import type { Session, SessionUsage, Settings } from '../../src/protocol/session.ts'
import { CallModel, type CallEvent, type ModelCall } from './call-model.ts'
import type { History } from './history.ts'

export interface ModelTurn {
  turnId: string
  queuedSeq: number
  byId: string | null
  inputSeqs: number[]
  /** Of the `turn.started` or `turn.resumed` that lets it speak now; 0: it was not started. */
  generation: number
  attempt: number
  /** Who answers it, by the name that says how it is recovered; null: it was not started. */
  agent: string | null
  fruitlessRecoveries: number
  /** Seqs of the steered inputs that no step took up. */
  steers: Set<number>
  /** Steered inputs that a turn of their own must carry, since this one ended without them. */
  orphanedSteers: Set<number>
  superseded: Set<string>
  calls: CallModel
  /** Assistant messages, in order. */
  messages: EventOf<'message.completed'>[]
  end: TerminalEvent | null
}

/** How a turn completes that would have gone on. */
const budgetReasons = new Set(['step-limit', 'token-limit', 'time-limit'])

/** Recoveries and cut model calls in a row without a step between them, before a turn is given up. */
const maxFruitlessRecoveries = 3

/** Clocks that jump while a turn runs. */
export const clockSlackMs = 20_000

/** What holds for the whole schedule. */
export interface Rules {
  approvalExpiresInMs: number
  budgets: Budgets
}

type TurnEvent = Extract<Event, { turnId: string }>

export class LogModel {
  readonly turns = new Map<string, ModelTurn>()
  /** Ids of the messages in conversation order, each with its seq. */
  readonly conversation: { id: string; seq: number; role: Message['role'] }[] = []
  title: string | null = null
  settings: Settings = {}
  readonly notes = new Map<string, string>()
  head = 0
  #at = 0
  #createdAt = 0
  #queue: ModelTurn[] = []
  #running: ModelTurn | null = null
  readonly #usage: SessionUsage = {
    turns: 0,
    inputTokens: 0,
    outputTokens: 0,
    cachedTokens: 0,
    reasoningTokens: 0,
    activeMs: 0,
    storage: { rowsRead: 0, rowsWritten: 0 },
  }
  readonly messageIds = new Set<string>()
  readonly #history: History
  readonly #rules: Rules

  constructor(history: History, rules: Rules) {
    this.#history = history
    this.#rules = rules
  }

  allCalls(): ModelCall[] {
    return [...this.turns.values()].flatMap(({ calls }) => [...calls.all.values()])
  }

  get isAtRest(): boolean {
    return this.#running === null && this.#queue.length === 0
  }

  read(event: Event): void {
    if (event.seq !== this.head + 1) this.#violate('LOG1', event, `follows event ${this.head}`)
    if (event.at < this.#at) this.#violate('LOG1', event, `is older than the event before it`)
    if ((event.type === 'session.created') !== (this.head === 0)) this.#violate('LOG1', event, 'stands in the wrong place')
    this.#checkOrphans(event)
    this.head = event.seq
    this.#at = event.at
    if (event.type === 'session.created') this.#created(event)
    else if (event.type === 'session.updated') this.#updated(event)
    else if (event.type === 'turn.queued') this.#queued(event)
    else if ('turnId' in event) this.#ofTurn(event)
  }

  /** A session that somebody was shown at this head. */
  check(session: Session): void {
    const expected = {
      head: this.head,
      title: this.title,
      createdAt: this.#createdAt,
      updatedAt: this.#at,
      status: this.#statusNow(),
      pending: this.#running?.calls.asked.map(({ approval }) => approval),
      active: this.#running?.turnId ?? null,
      attempt: this.#running?.attempt ?? null,
      queue: this.#queue.map((turn) => turn.turnId).join(),
      usage: this.#usage,
      settings: this.settings,
      messages: this.conversation.length,
    }
    const { head, title, createdAt, updatedAt, status, activeTurn, queue, usage, settings, pendingApprovals } = session
    const shown = {
      head,
      title,
      createdAt,
      updatedAt,
      status,
      pending: activeTurn ? pendingApprovals : undefined,
      active: activeTurn?.id ?? null,
      attempt: activeTurn?.attempt ?? null,
      queue: queue.map((turn) => turn.id).join(),
      usage,
      settings,
      messages: session.context.messages,
    }
    if (!isDeepStrictEqual(shown, expected)) {
      this.#history.violate('LOG3', `the log makes ${JSON.stringify(expected)}, and somebody was shown ${JSON.stringify(shown)}`)
    }
  }

  #created(event: EventOf<'session.created'>): void {
    this.#createdAt = event.at
    this.title = event.title ?? null
  }

  #updated({ patch }: EventOf<'session.updated'>): void {
    if (patch.title !== undefined) this.title = patch.title
    if (patch.settings !== undefined) this.settings = patch.settings
  }

  #statusNow(): Session['status'] {
    if (!this.#running) return 'idle'
    return this.#running.calls.waitsSince === null ? 'running' : 'waiting'
  }

  #queued(event: EventOf<'turn.queued'>): void {
    const { turnId, seq, whenBusy, steeredSeq } = event
    if (this.turns.has(turnId)) this.#violate('TRN3', event, 'queues a turn again')
    // One more than the bound: an interrupting turn is let in by the place that it makes.
    if (this.#queue.length >= 17) this.#violate('TRN2', event, 'makes the queue longer than its bound')
    if (whenBusy === 'reject' && !this.isAtRest) this.#violate('TRN2', event, 'was to be rejected by a busy session')
    const turn: ModelTurn = {
      turnId,
      queuedSeq: seq,
      byId: event.by?.id ?? null,
      inputSeqs: [seq],
      generation: 0,
      attempt: 0,
      agent: null,
      fruitlessRecoveries: 0,
      steers: new Set(),
      orphanedSteers: new Set(),
      superseded: new Set(),
      calls: new CallModel((rule, at, message) => this.#violate(rule, at, message)),
      messages: [],
      end: null,
    }
    if (steeredSeq !== undefined && !this.#takeOrphan(steeredSeq))
      this.#violate('TRN9', event, 'carries a steered input that needs no turn')
    this.turns.set(turnId, turn)
    if (whenBusy === 'interrupt') this.#queue.unshift(turn)
    else this.#queue.push(turn)
  }

  /** Whatever is said of a turn after its end, or before it began, is wrong. */
  #ofTurn(event: Exclude<TurnEvent, { type: 'turn.queued' }>): void {
    const turn = this.turns.get(event.turnId)
    if (!turn) return this.#violate('TRN3', event, 'names a turn that was never queued')
    if (turn.end) return this.#violate('TRN3', event, `comes after its turn ended at ${turn.end.seq}`)
    if (isTerminal(event)) return this.#ended(turn, event)
    turn.calls.checkWithdrawal(event)
    if (event.type === 'turn.started') return this.#startedTurn(turn, event)
    if (event.type === 'turn.amended') return this.#amended(turn, event)
    if (this.#running !== turn) return this.#violate('TRN1', event, 'is of a turn that does not run')
    if (event.type === 'turn.steered') turn.steers.add(event.seq)
    else if (event.type === 'turn.resumed') this.#resumed(turn, event)
    else if (event.type === 'message.completed') this.#message(turn, event)
    else this.#ofCall(turn, event)
  }

  #ofCall(turn: ModelTurn, event: CallEvent): void {
    const { approvalExpiresInSeconds } = this.settings
    const expiresInMs = approvalExpiresInSeconds === undefined ? this.#rules.approvalExpiresInMs : approvalExpiresInSeconds * 1000
    turn.calls.take(event, this.settings, expiresInMs)
    if (event.type !== 'note.written') return
    this.notes.delete(event.key)
    if (event.text !== null) this.notes.set(event.key, event.text)
  }

  /** Only the first in line may start, with all its input, and only when nothing runs. */
  #startedTurn(turn: ModelTurn, event: EventOf<'turn.started'>): void {
    if (this.#running) this.#violate('TRN1', event, `starts while ${this.#running.turnId} runs`)
    if (this.#queue[0] !== turn) this.#violate('TRN2', event, `jumps the queue of ${this.#queue.map((item) => item.turnId).join()}`)
    if (event.inputSeqs.join() !== turn.inputSeqs.join()) this.#violate('TRN8', event, `has not the input ${turn.inputSeqs.join()}`)
    this.#queue = this.#queue.filter((item) => item !== turn)
    this.#running = turn
    this.#usage.turns += 1
    turn.generation = event.seq
    turn.attempt = event.attempt
    turn.agent = event.agent
    this.#place(event, { id: event.messageId, seq: event.seq, role: 'user' })
  }

  /** `collect` adds to the last queued turn of the same author. */
  #amended(turn: ModelTurn, event: EventOf<'turn.amended'>): void {
    const last = this.#queue.findLast((queued) => queued.byId === (event.by?.id ?? null))
    if (last !== turn) this.#violate('TRN2', event, `amends a turn that is not the last of its author, ${last?.turnId}`)
    turn.inputSeqs.push(event.seq)
  }

  /** A new generation speaks: what the old one was saying is void. */
  #resumed(turn: ModelTurn, event: EventOf<'turn.resumed'>): void {
    turn.calls.resumed(event)
    turn.generation = event.seq
    const isNewAttempt = event.reason !== 'approval'
    if (event.attempt !== turn.attempt + (isNewAttempt ? 1 : 0)) this.#violate('TRN4', event, `follows attempt ${turn.attempt}`)
    turn.attempt = event.attempt
    if (isNewAttempt) this.#again(turn, event)
  }

  #again(turn: ModelTurn, event: EventOf<'turn.resumed'>): void {
    const isRecovery = event.reason === 'recovery'
    if (isRecovery && this.#history.restarts === 0) this.#violate('TRN4', event, 'recovers a turn that nothing ever cut')
    if (isRecovery && turn.agent === 'quitter') this.#violate('TRN4', event, 'resumes a turn whose agent wants it to end as interrupted')
    turn.fruitlessRecoveries += 1
    if (turn.fruitlessRecoveries > maxFruitlessRecoveries) this.#violate('TRN4', event, 'resumes a turn that gets nowhere')
    if ((event.supersedes === undefined) !== turn.calls.open.length > 0)
      this.#violate('TRN4', event, 'voids a message that is durable, or none')
    if (event.supersedes !== undefined) turn.superseded.add(event.supersedes)
  }

  #message(turn: ModelTurn, event: EventOf<'message.completed'>): void {
    const { message, contextSeq, steeredSeq } = event
    if (message.seq !== event.seq || message.turnId !== turn.turnId) this.#violate('TRN8', event, 'holds a message of another place')
    if (contextSeq >= event.seq) this.#violate('TRN8', event, 'was built from what came after it')
    if (turn.superseded.has(message.id)) this.#violate('TRN5', event, 'completes a message that was superseded')
    if (steeredSeq !== undefined) {
      if (!turn.steers.delete(steeredSeq)) this.#violate('TRN9', event, 'consumes a steered input that does not wait')
      if (steeredSeq > contextSeq) this.#violate('TRN8', event, 'stands before a step that did not know it')
    } else if (message.role === 'tool') {
      turn.calls.ended(event, this.settings)
      turn.fruitlessRecoveries = 0
    } else {
      turn.calls.made(event)
      // A step of this generation cannot have been built from a time before it (TRN5).
      if (contextSeq < turn.generation) this.#violate('TRN5', event, `was built before generation ${turn.generation}`)
      if (turn.messages.at(-1)?.contextSeq === contextSeq) this.#violate('TRN5', event, 'completes the same step again')
      turn.messages.push(event)
      if (message.finishReason !== 'interrupted') turn.fruitlessRecoveries = 0
    }
    if (message.usage) Object.assign(this.#usage, sumOfTokens(this.#usage, message.usage))
    this.#place(event, { id: message.id, seq: event.seq, role: message.role })
  }

  #ended(turn: ModelTurn, event: TerminalEvent): void {
    const wasRunning = this.#running === turn
    if (!wasRunning && !this.#queue.includes(turn)) this.#violate('TRN3', event, 'ends a turn that neither ran nor waited')
    if (!wasRunning && event.type !== 'turn.cancelled') this.#violate('TRN3', event, 'ends a turn that never ran')
    if (event.queuedSeq !== turn.queuedSeq) this.#violate('TRN3', event, `names another place than ${turn.queuedSeq} for its turn`)
    const isSpent = event.type === 'turn.completed' && budgetReasons.has(event.finishReason)
    if (event.type === 'turn.completed' && !isSpent && turn.steers.size > 0)
      this.#violate('TRN9', event, 'completes a turn with a steered input unheard')
    if (event.type === 'turn.completed' && !isSpent && turn.calls.open.length > 0)
      this.#violate('TOOL1', event, 'completes a turn with calls that have no result')
    if (event.type === 'turn.interrupted' && turn.calls.waitsSince !== null) this.#violate('APR1', event, 'was cut while it waited')
    turn.calls.over(event)
    if (wasRunning) this.#charge(turn, event)
    if (event.type === 'turn.interrupted' && turn.agent === 'resumer' && turn.fruitlessRecoveries < maxFruitlessRecoveries) {
      this.#violate('TRN4', event, `gives up a turn after ${turn.fruitlessRecoveries} recoveries in vain`)
    }
    turn.end = event
    turn.orphanedSteers = turn.steers
    if (wasRunning) this.#running = null
    else this.#queue = this.#queue.filter((item) => item !== turn)
  }

  /** Waiting for people is no work (MET1). */
  #charge(turn: ModelTurn, { usage, at, startedAt, ...event }: TerminalEvent): void {
    this.#usage.activeMs += usage.activeMs
    this.#usage.storage.rowsRead += usage.storage.rowsRead
    this.#usage.storage.rowsWritten += usage.storage.rowsWritten
    const workedMs = at - (startedAt ?? at) - turn.calls.waitedMs
    if (usage.activeMs > workedMs + clockSlackMs) {
      this.#history.violate('MET1', `${event.turnId} worked for ${workedMs} ms at most, and is charged ${usage.activeMs}`)
    }
  }

  /** Steered inputs that their turn did not take up are queued in the commit that ends it: before anything else happens. */
  #checkOrphans(event: Event): void {
    if (event.type === 'turn.queued' && event.steeredSeq !== undefined) return
    for (const turn of this.turns.values()) {
      if (turn.orphanedSteers.size > 0) this.#violate('TRN9', event, `comes before the steered inputs of ${turn.turnId} are queued`)
      turn.orphanedSteers.clear()
    }
  }

  #takeOrphan(steeredSeq: number): boolean {
    return [...this.turns.values()].some((turn) => turn.orphanedSteers.delete(steeredSeq))
  }

  /** Every attempt of a step, and every input, has an id of its own. */
  #place(event: Event, message: { id: string; seq: number; role: Message['role'] }): void {
    if (this.messageIds.has(message.id)) this.#violate('ATT4', event, `uses the id ${message.id} again`)
    this.messageIds.add(message.id)
    this.conversation.push(message)
  }

  #violate(rule: string, event: Event, message: string): void {
    this.#history.violate(rule, `event ${event.seq} (${event.type}) ${message}: ${JSON.stringify(event)}`)
  }
}

function sumOfTokens(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  }
}
