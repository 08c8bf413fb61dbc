/**
 * One session, awake: restored from storage when first needed, then decide ▸ commit ▸ broadcast ▸ pending effects for
 * every command. It knows the platform only through its host, so the very same code runs in the object and in the
 * simulator.
 *
 * - Nothing is read before it is needed, and a read writes nothing (rule LOG5).
 * - A turn found running without its runner is an orphan: it is resumed, or ended as interrupted (rule TRN4).
 */
import type { AgentRegistry } from '../agents/agent.ts'
import type { SessionState } from '../core/state.ts'
import { authorize, type Verb } from '../protocol/access.ts'
import { isConfiguration, type UpdateSession } from '../protocol/body.ts'
import { refuse, type Refusal } from '../protocol/errors.ts'
import { closeCodes } from '../protocol/frame.ts'
import type { IndexWriter } from '../session-index/index-entry.ts'
import { VersionTooNewError } from '../storage/formats.ts'
import { SessionStore } from '../storage/session-store.ts'
import { nextApprovalExpiry } from '../core/pending-effects.ts'
import { Admission, type Caller, type Outcome } from './admission.ts'
import { agentOfNew, agentOfPatch } from './choose-agent.ts'
import { Ledger } from './commit.ts'
import { Connections, type SocketRefusal } from './connections.ts'
import { credentialsProblem } from './credentials.ts'
import { Erasure } from './erasure.ts'
import { Frames } from './frames.ts'
import type { Host, HostSocket } from './host.ts'
import { IndexSync } from './index-sync.ts'
import { answerQuery, type QueryVerb } from './queries.ts'
import { readIndexEntry } from './read-session.ts'
import { findOrphan, recoverOrphan, type Orphan } from './recover-orphan.ts'
import type { AttachRequest, SessionAnswer, SessionRequest } from './requests.ts'
import { TurnMeter } from './turn-meter.ts'
import { TurnRunner } from './turn-runner.ts'
import { leaseMs, WakeAlarm } from './wake-alarm.ts'

export interface SessionDependencies {
  agents: AgentRegistry
  index: IndexWriter
}

/** How long a create or an erase waits for the list to show it, before it is answered anyway. */
const indexPatienceMs = 500

/** An alarm that found its data unreadable, as after a rollback, tries again so much later. */
const alarmRetryMs = 300_000

/** What exists only while the object is awake. */
interface Awake {
  ledger: Ledger
  runner: TurnRunner
  meter: TurnMeter
  connections: Connections
  admission: Admission
  frames: Frames
  indexSync: IndexSync
}

export class Session {
  readonly #host: Host
  readonly #name: { tenant: string; sessionId: string }
  readonly #dependencies: SessionDependencies
  /** What turns read and write, metered; and what questions read. */
  readonly #store: SessionStore
  readonly #readStore: SessionStore
  readonly #alarm: WakeAlarm
  readonly #erasure: Erasure
  #awake: Awake | null = null

  constructor(host: Host, name: { tenant: string; sessionId: string }, dependencies: SessionDependencies) {
    this.#host = host
    this.#name = name
    this.#dependencies = dependencies
    this.#store = new SessionStore(host.sql)
    this.#readStore = new SessionStore(host.sql)
    this.#alarm = new WakeAlarm(host, () => this.#awake?.connections.nextExpiry() ?? null)
    this.#erasure = new Erasure(host, this.#store, this.#alarm, dependencies.index, name)
  }

  async perform(request: SessionRequest): Promise<SessionAnswer> {
    try {
      return await this.#perform(request)
    } catch (error) {
      // An older server met newer data: it refuses, it never guesses (rule LOG7).
      if (error instanceof VersionTooNewError) return { ...refuse('version_too_new', error.message), head: null }
      throw error
    }
  }

  async #perform(request: SessionRequest): Promise<SessionAnswer> {
    const awake = this.#wake()
    const refused = this.#refuse(awake, request)
    if (refused) return { ok: false, error: refused, head: awake.ledger.state?.head ?? null }
    const outcome = await this.#execute(awake, request)
    const head = awake.ledger.state?.head ?? 0
    return outcome.ok ? ({ ok: true, value: outcome.value, head, replayed: outcome.replayed } as SessionAnswer) : { ...outcome, head }
  }

  /** Why a socket may not attach, asked before it is accepted; null: it may. */
  attachRefusal(request: AttachRequest): SocketRefusal | null {
    try {
      const { connections } = this.#wake()
      if (this.#erasure.erasedAt !== null) return { code: closeCodes.erased, reason: 'The session was erased.' }
      const allowed = authorize(request.principal, 'attach', this.#name.sessionId)
      return allowed.ok ? connections.refusal(request) : { code: closeCodes.forbidden, reason: allowed.error.message }
    } catch (error) {
      if (error instanceof VersionTooNewError) return { code: closeCodes.restart, reason: error.message }
      throw error
    }
  }

  /** A socket was accepted by the platform: it is greeted and replayed, or closed with a code that says why not. */
  async attach(socket: HostSocket, request: AttachRequest): Promise<void> {
    const refused = this.attachRefusal(request)
    if (refused) return socket.close(refused.code, refused.reason)
    const { connections } = this.#wake()
    connections.attach(socket, request)
    const expiry = connections.nextExpiry()
    if (expiry === null) return
    // A socket must not outlive its token, even in an object that sleeps (rule ATT5).
    await this.#alarm.learn()
    this.#alarm.ensure(expiry)
  }

  onFrame(socket: HostSocket, frame: string | ArrayBuffer): void {
    const { connections, frames } = this.#wake()
    const connection = connections.of(socket)
    if (connection) frames.receive(connection, frame)
  }

  onClose(socket: HostSocket): void {
    this.#awake?.connections.forget(socket)
  }

  /** Never throws and never awaits a turn: what it finds due is started, and the alarm set again where more will be. */
  async onAlarm(): Promise<void> {
    try {
      await this.#handleAlarm()
    } catch (error) {
      // A handler that throws is repeated a few times and then dropped, and with it whatever was to be looked after.
      this.#host.log({ event: 'alarm.failed', level: 'error', error: error instanceof Error ? error.name : 'unknown' })
      // Through the alarm, so that a sooner one that was set before the failure stays, and its handling has ended.
      this.#alarm.handled()
      this.#alarm.ensure(this.#host.now() + alarmRetryMs)
    }
  }

  async #handleAlarm(): Promise<void> {
    this.#alarm.fired()
    const awake = this.#wake()
    const erasedAt = this.#erasure.erasedAt
    if (erasedAt === null) await this.#lookAfter(awake)
    else await this.#erasure.proceed(erasedAt)
    this.#alarm.handled()
    for (const at of [awake.connections.nextExpiry(), awake.ledger.state && nextApprovalExpiry(awake.ledger.state)]) {
      if (at !== null) this.#alarm.ensure(at)
    }
  }

  async #lookAfter(awake: Awake): Promise<void> {
    const { ledger, runner, admission, connections, indexSync } = awake
    if (ledger.state?.active?.status === 'running') this.#alarm.ensure(this.#host.now() + leaseMs)
    this.#recover(awake, findOrphan(this.#store, ledger, runner))
    admission.expireApprovals()
    connections.closeUnauthorized()
    if (ledger.state) await indexSync.onAlarm()
  }

  #wake(): Awake {
    if (this.#awake) return this.#awake
    const startedAt = this.#host.now()
    const rowsBefore = this.#store.rowsRead
    const awake = this.#assemble()
    const { ledger, runner, meter, connections } = awake
    const { state } = ledger
    // Read before anything is begun: half awake is not awake.
    const orphan = findOrphan(this.#store, ledger, runner)
    this.#awake = awake
    if (!state) return awake
    connections.adopt()
    const { sessionId, tenant } = this.#name
    const rowsRead = this.#store.rowsRead - rowsBefore
    const ms = this.#host.now() - startedAt
    this.#host.log({ event: 'session.woke', tenant, sessionId, head: state.head, rowsRead, sockets: connections.size, ms })
    if (state.active?.status === 'waiting' && state.active.costBeforeWait) meter.resumeFrom(state.active.costBeforeWait)
    this.#recover(awake, orphan)
    return awake
  }

  #assemble(): Awake {
    const host = this.#host
    const { agents, index } = this.#dependencies
    const meter = new TurnMeter(this.#store, this.#alarm)
    const ledger = new Ledger(host, this.#store, this.#readStore, this.#alarm, meter)
    const connections = new Connections(host, this.#readStore, {
      state: () => ledger.state,
      flushedPartial: () => runner.flushedPartial(),
    })
    const runner = new TurnRunner(host, ledger, this.#store, meter, agents, (frame) => connections.broadcast(frame))
    const admission = new Admission(host, ledger, this.#readStore, runner)
    const agentFor = (patch: UpdateSession) => agentOfPatch(agents, ledger.state, patch)
    const frames = new Frames(host, connections, admission, this.#name.sessionId, agentFor)
    const indexSync = new IndexSync(
      host,
      this.#alarm,
      index,
      () => ledger.state && readIndexEntry(this.#readStore, ledger.state, this.#name.tenant),
    )
    // In this order: words before the event that completes them, everyone told before the next turn begins.
    ledger.onCommit(() => runner.flush())
    ledger.onCommit((events) => connections.broadcastEvents(events))
    ledger.onCommit((events) => events.some((event) => event.type === 'tokens.revoked') && connections.closeUnauthorized())
    ledger.onCommit((events) => runner.observe(events))
    ledger.onCommit((_events, state) => runner.reconcile(state))
    ledger.onCommit(() => indexSync.soon())
    return { ledger, runner, meter, connections, admission, frames, indexSync }
  }

  /** Access is checked again where the session is, so that no way in can forget it (rule SEC2). */
  #refuse({ ledger }: Awake, request: SessionRequest): Refusal | null {
    const { principal, sessionId } = request
    const { state } = ledger
    if (this.#erasure.erasedAt !== null) return erased().error
    if (!state && request.verb !== 'create') return refuse('not_found', 'There is no such session.').error
    const problem = state && credentialsProblem(principal, state, this.#host.now())
    if (problem) return refuse('unauthorized', problem).error
    const allowed = authorize(principal, verbOf(request), sessionId)
    return allowed.ok ? null : allowed.error
  }

  async #execute(awake: Awake, request: SessionRequest): Promise<Outcome<unknown>> {
    const { admission, ledger, indexSync } = awake
    const caller: Caller = { principal: request.principal, key: request.key }
    switch (request.verb) {
      case 'create': {
        const { body } = request.args
        const agent = await agentOfNew(this.#dependencies.agents, body)
        if (!agent.ok) return agent
        if (this.#awake !== awake) return erased()
        const outcome = admission.create(caller, request.sessionId, body, agent.value)
        if (outcome.ok && !outcome.replayed) await this.#patiently(indexSync.flush())
        return outcome
      }
      case 'update': {
        const { patch, ifMatch } = request.args
        const agent = await agentOfPatch(this.#dependencies.agents, ledger.state, patch)
        if (!agent.ok) return agent
        if (this.#awake !== awake) return erased()
        const outcome = admission.update(caller, patch, ifMatch, agent.value)
        if (outcome.ok && patch.archived !== undefined) await this.#patiently(indexSync.flush())
        return outcome
      }
      case 'submitTurn':
        return admission.submitTurn(caller, request.args, 'api')
      case 'cancelTurn':
        return admission.cancelTurn(caller, request.args.turnId)
      case 'answerApproval':
        return admission.answerApproval(caller, request.args.approvalId, request.args.answer)
      case 'revokeTokens':
        return admission.revokeTokens(caller)
      case 'erase':
        return this.#erase(awake)
      default:
        return this.#query(ledger.state, request)
    }
  }

  #query(state: SessionState | null, request: SessionRequest<QueryVerb>): Outcome<unknown> {
    if (!state) return refuse('not_found', 'There is no such session.')
    const answer = answerQuery(this.#readStore, state, request)
    return answer.ok ? { ...answer, replayed: false } : answer
  }

  async #erase({ runner, connections, indexSync }: Awake): Promise<Outcome<null>> {
    this.#erasure.erase()
    this.#readStore.log.forget()
    runner.stop()
    indexSync.stop()
    connections.closeAll(closeCodes.erased, 'The session was erased.')
    this.#awake = null
    await this.#patiently(this.#erasure.proceed(this.#host.now()))
    return { ok: true, value: null, replayed: false }
  }

  /** Waits a moment for something that may take long; it goes on in the background. */
  async #patiently(work: Promise<void>): Promise<void> {
    this.#host.background(work)
    let cancel = () => {}
    const patience = new Promise<void>((resolve) => {
      cancel = this.#host.timer(indexPatienceMs, resolve)
    })
    await Promise.race([work, patience])
    cancel()
  }

  #recover({ ledger, runner, meter }: Awake, orphan: Orphan | null): void {
    if (orphan) recoverOrphan(orphan, ledger, runner, meter)
  }
}

function erased() {
  return refuse('not_found', 'The session was erased.')
}

function verbOf(request: SessionRequest): Verb {
  switch (request.verb) {
    case 'create':
    case 'erase':
      return request.verb
    case 'update':
      return isConfiguration(request.args.patch) ? 'configure' : 'update'
    case 'submitTurn':
      return 'turn'
    case 'cancelTurn':
      return 'cancel'
    case 'answerApproval':
      return 'approve'
    case 'getContext':
      return 'context'
    case 'search':
      return 'search'
    case 'tokenEpoch':
    case 'revokeTokens':
      return 'tokens'
    default:
      return 'read'
  }
}
