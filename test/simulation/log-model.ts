/**
 * What a log may say, written from the rules and not from the core: reads the events in order, keeps its own idea of the
 * queue and of the turn that runs, and objects to every event that the rules do not allow there. Also tells what a
 * session looks like at each head, for comparison with what people were shown (LOG3).
 */
import { isTerminal, type Event, type EventOf, type TerminalEvent } from '../../src/protocol/event.ts'
import type { Message } from '../../src/protocol/message.ts'
import type { Session } from '../../src/protocol/session.ts'
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
  /** Assistant messages, in order. */
  messages: EventOf<'message.completed'>[]
  end: TerminalEvent | null
}

/** Recoveries in a row without a step between them, before a turn is given up as interrupted. */
const maxFruitlessRecoveries = 3

type TurnEvent = Extract<Event, { turnId: string }>

export class LogModel {
  readonly turns = new Map<string, ModelTurn>()
  /** Ids of the messages in conversation order, each with its seq. */
  readonly conversation: { id: string; seq: number; role: Message['role'] }[] = []
  title: string | null = null
  head = 0
  #at = 0
  #createdAt = 0
  #queue: ModelTurn[] = []
  #running: ModelTurn | null = null
  #started = 0
  readonly #messageIds = new Set<string>()
  readonly #history: History

  constructor(history: History) {
    this.#history = history
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
    else if (event.type === 'session.updated') this.title = event.patch.title === undefined ? this.title : event.patch.title
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
      status: this.#running ? 'running' : 'idle',
      active: this.#running?.turnId ?? null,
      attempt: this.#running?.attempt ?? null,
      queue: this.#queue.map((turn) => turn.turnId).join(),
      turns: this.#started,
      messages: this.conversation.length,
    }
    const { head, title, createdAt, updatedAt, status, activeTurn, queue } = session
    const shown = {
      head,
      title,
      createdAt,
      updatedAt,
      status,
      active: activeTurn?.id ?? null,
      attempt: activeTurn?.attempt ?? null,
      queue: queue.map((turn) => turn.id).join(),
      turns: session.usage.turns,
      messages: session.context.messages,
    }
    if (JSON.stringify(shown) !== JSON.stringify(expected)) {
      this.#history.violate('LOG3', `the log makes ${JSON.stringify(expected)}, and somebody was shown ${JSON.stringify(shown)}`)
    }
  }

  #created(event: EventOf<'session.created'>): void {
    this.#createdAt = event.at
    this.title = event.title ?? null
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
    if (event.type === 'turn.started') return this.#startedTurn(turn, event)
    if (event.type === 'turn.amended') return this.#amended(turn, event)
    if (this.#running !== turn) return this.#violate('TRN1', event, 'is of a turn that does not run')
    if (event.type === 'turn.steered') turn.steers.add(event.seq)
    else if (event.type === 'turn.resumed') this.#resumed(turn, event)
    else this.#message(turn, event)
  }

  /** Only the first in line may start, with all its input, and only when nothing runs. */
  #startedTurn(turn: ModelTurn, event: EventOf<'turn.started'>): void {
    if (this.#running) this.#violate('TRN1', event, `starts while ${this.#running.turnId} runs`)
    if (this.#queue[0] !== turn) this.#violate('TRN2', event, `jumps the queue of ${this.#queue.map((item) => item.turnId).join()}`)
    if (event.inputSeqs.join() !== turn.inputSeqs.join()) this.#violate('TRN8', event, `has not the input ${turn.inputSeqs.join()}`)
    this.#queue = this.#queue.filter((item) => item !== turn)
    this.#running = turn
    this.#started += 1
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
    if (event.attempt !== turn.attempt + 1) this.#violate('TRN4', event, `follows attempt ${turn.attempt}`)
    if (this.#history.restarts === 0) this.#violate('TRN4', event, 'recovers a turn that nothing ever cut')
    if (turn.agent === 'quitter') this.#violate('TRN4', event, 'resumes a turn whose agent wants it to end as interrupted')
    turn.fruitlessRecoveries += 1
    if (turn.fruitlessRecoveries > maxFruitlessRecoveries) this.#violate('TRN4', event, 'resumes a turn that gets nowhere')
    turn.attempt = event.attempt
    turn.generation = event.seq
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
    } else {
      // A step of this generation cannot have been built from a time before it (TRN5).
      if (contextSeq < turn.generation) this.#violate('TRN5', event, `was built before generation ${turn.generation}`)
      if (turn.messages.at(-1)?.contextSeq === contextSeq) this.#violate('TRN5', event, 'completes the same step again')
      turn.messages.push(event)
      if (message.finishReason !== 'interrupted') turn.fruitlessRecoveries = 0
    }
    this.#place(event, { id: message.id, seq: event.seq, role: message.role })
  }

  #ended(turn: ModelTurn, event: TerminalEvent): void {
    const wasRunning = this.#running === turn
    if (!wasRunning && !this.#queue.includes(turn)) this.#violate('TRN3', event, 'ends a turn that neither ran nor waited')
    if (!wasRunning && event.type !== 'turn.cancelled') this.#violate('TRN3', event, 'ends a turn that never ran')
    if (event.queuedSeq !== turn.queuedSeq) this.#violate('TRN3', event, `names another place than ${turn.queuedSeq} for its turn`)
    if (event.type === 'turn.completed' && turn.steers.size > 0)
      this.#violate('TRN9', event, 'completes a turn with a steered input unheard')
    if (event.type === 'turn.interrupted' && turn.agent === 'resumer' && turn.fruitlessRecoveries < maxFruitlessRecoveries) {
      this.#violate('TRN4', event, `gives up a turn after ${turn.fruitlessRecoveries} recoveries in vain`)
    }
    turn.end = event
    turn.orphanedSteers = turn.steers
    if (wasRunning) this.#running = null
    else this.#queue = this.#queue.filter((item) => item !== turn)
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
    if (this.#messageIds.has(message.id)) this.#violate('ATT4', event, `uses the id ${message.id} again`)
    this.#messageIds.add(message.id)
    this.conversation.push(message)
  }

  #violate(rule: string, event: Event, message: string): void {
    this.#history.violate(rule, `event ${event.seq} (${event.type}) ${message}: ${JSON.stringify(event)}`)
  }
}
