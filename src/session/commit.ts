/**
 * The ledger: the session's state in memory, and the only caller of `append`. A command is decided, its events are stored
 * in one synchronous transaction together with the alarm and, when due, a snapshot; then everyone is told. Whoever
 * awaits between reading `state` and executing a command must expect it to have moved on.
 *
 * - Acknowledged means durable (rule LOG2): `execute` returns only after the transaction; frames wait for it too.
 * - The same key and command again gives the first receipt and no second effect (rule TRN6).
 */
import type { Command } from '../core/command.ts'
import { lastSeqOf, type Commit, type Receipt, type RememberedCommand } from '../protocol/commit.ts'
import { decide } from '../core/decide.ts'
import { recall, remember } from '../core/idempotency.ts'
import { nextApprovalExpiry } from '../core/pending-effects.ts'
import { foldCommit } from '../core/reduce.ts'
import type { IdempotencyWindow, SessionState } from '../core/state.ts'
import type { Refusal } from '../protocol/errors.ts'
import { isTerminal, type Event } from '../protocol/event.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import { MAX_BODY_BYTES } from '../storage/pieces.ts'
import type { SessionStore } from '../storage/session-store.ts'
import type { Host } from './host.ts'
import { restore, snapshotEveryRows } from './restore.ts'
import type { TurnMeter } from './turn-meter.ts'
import { leaseMs, type WakeAlarm } from './wake-alarm.ts'

/** A command's key, and the hash of its verb and parsed body. */
export type Identity = Pick<RememberedCommand, 'key' | 'fingerprint'>

export type Execution = { ok: true; receipt: Receipt; replayed: boolean } | { ok: false; error: Refusal }

/** Whole outputs by the id of their tool call. */
export type Outputs = ReadonlyMap<string, string>
const noOutputs: Outputs = new Map()

interface Written {
  state: SessionState
  rowsSinceSnapshot: number
}

export type CommitListener = (events: Event[], state: SessionState) => void

export class Ledger {
  readonly #host: Host
  readonly #store: SessionStore
  readonly #readStore: SessionStore
  readonly #alarm: WakeAlarm
  readonly #meter: TurnMeter
  readonly #listeners: CommitListener[] = []
  #state: SessionState | null
  /** Null until a command with a key comes: most wakes need none of it. */
  #window: IdempotencyWindow | null = null
  readonly #recentCommands: IdempotencyWindow
  #rowsSinceSnapshot: number

  /** `readStore` is told of every commit, so that what was just said needs no read. */
  constructor(host: Host, store: SessionStore, readStore: SessionStore, alarm: WakeAlarm, meter: TurnMeter) {
    this.#host = host
    this.#store = store
    this.#readStore = readStore
    this.#alarm = alarm
    this.#meter = meter
    const restored = restore(store)
    this.#state = restored.state
    this.#recentCommands = restored.recentCommands
    this.#rowsSinceSnapshot = restored.rowsSinceSnapshot
  }

  /** Null: the session was never created. */
  get state(): SessionState | null {
    return this.#state
  }

  /** Called after every commit, in the order of registration, before anything else can run. */
  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener)
  }

  execute(command: Command, identity: Identity | null = null): Execution {
    const known = identity ? this.recall(command, identity) : null
    if (known) return known
    const decision = decide(this.#state, command, this.#host.now())
    if (!decision.ok) return decision
    const { events, state, receipt } = decision
    const commit = { events, ...(identity && { command: { ...identity, receipt } }) }
    // Deciding has reduced the events already; only the first commit adds what its command was.
    if (events.length > 0) this.#commit(commit, this.#state && state ? state : foldCommit(null, commit), noOutputs)
    return { ok: true, receipt, replayed: false }
  }

  /**
   * Commands of the session itself that came together, decided one after the other and stored in one row; what is refused is left
   * out. `outputs`: whole outputs by tool call, to be kept with the messages that show their previews.
   */
  executeTogether(commands: readonly Command[], outputs: Outputs): void {
    const events: Event[] = []
    let state = this.#state
    for (const command of commands) {
      const decision = decide(state, command, this.#host.now())
      if (!decision.ok) continue
      events.push(...decision.events)
      state = decision.state
    }
    if (state && events.length > 0) this.#commit({ events }, state, outputs)
  }

  /** What this very command was told before, a conflict, or null: it is new. */
  recall(command: Pick<Command, 'type'>, { key, fingerprint }: Identity): Execution | null {
    const known = recall(this.#idempotencyWindow(), key, fingerprint)
    if (!known.ok) return known
    if (known.value) return { ok: true, receipt: known.value, replayed: true }
    if (command.type === 'createSession' && this.#state?.creationFingerprint === fingerprint) {
      return { ok: true, receipt: { seq: 1 }, replayed: true }
    }
    return null
  }

  #idempotencyWindow(): IdempotencyWindow {
    this.#window ??= [...(this.#store.snapshots.window()?.commands ?? []), ...this.#recentCommands].slice(-limits.idempotentCommands)
    return this.#window
  }

  #commit(commit: Commit, decided: SessionState, outputs: Outputs): void {
    const before = this.#state
    const window = remember(this.#idempotencyWindow(), commit)
    this.#meter.beginsWith(before, decided)
    const { state, rowsSinceSnapshot } = this.#write(commit, decided, window, outputs)
    this.#store.remember(commit)
    this.#readStore.remember(commit)
    this.#meter.endsWith(before, state)
    this.#state = state
    this.#window = window
    this.#rowsSinceSnapshot = rowsSinceSnapshot
    for (const listener of this.#listeners) listener(commit.events, state)
  }

  /**
   * An event that tells what its whole turn has cost, itself included, is written last but for the snapshot, whose state has
   * that cost in it (rule LOG3): the rows of these two are counted before they are written.
   */
  #write(commit: Commit, decided: SessionState, window: IdempotencyWindow, outputs: Outputs): Written {
    try {
      return this.#host.transaction(() => {
        // Of a person who is asked for a short while only, the expiry comes before the lease (rule APR3).
        this.#alarm.ensure(Math.min(this.#host.now() + leaseMs, nextApprovalExpiry(decided) ?? Infinity))
        const seq = lastSeqOf(commit)
        const ownRows = Math.ceil(jsonBytes(commit) / MAX_BODY_BYTES)
        const rows = this.#rowsSinceSnapshot + ownRows
        const isSnapshotDue = rows >= snapshotEveryRows
        this.#saveOutputs(commit, outputs)
        if (isSnapshotDue) this.#store.snapshots.saveWindow({ seq, commands: window })
        const state = this.#tellCost(commit, decided, ownRows + (isSnapshotDue ? 1 : 0))
        if (isSnapshotDue) this.#store.snapshots.save({ seq, state })
        this.#store.append(commit)
        return { state, rowsSinceSnapshot: isSnapshotDue ? 0 : rows }
      })
    } catch (error) {
      this.#alarm.forget()
      throw error
    }
  }

  #saveOutputs({ events }: Commit, outputs: Outputs): void {
    if (outputs.size === 0) return
    for (const event of events) {
      if (event.type !== 'message.completed') continue
      for (const part of event.message.parts) {
        const whole = part.type === 'tool-result' && part.outputRef !== undefined ? outputs.get(part.toolCallId) : undefined
        if (whole !== undefined) this.#store.outputs.save(event.seq, whole)
      }
    }
  }

  /** Answers the state that the events make once they tell it. */
  #tellCost(commit: Commit, decided: SessionState, rowsToWrite: number): SessionState {
    const turnId = this.#state?.active?.turnId
    const { rowsRead, rowsWritten } = this.#meter.cost().storage
    const storage = { rowsRead: rowsRead + rowsToWrite, rowsWritten: rowsWritten + rowsToWrite }
    let hasTold = false
    commit.events = commit.events.map((event) => {
      if (!isTerminal(event) && event.type !== 'turn.waiting') return event
      if (event.turnId !== turnId) return event
      hasTold = true
      return { ...event, usage: { ...event.usage, storage } }
    })
    return hasTold ? foldCommit(this.#state, commit) : decided
  }
}
