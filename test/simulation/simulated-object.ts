/**
 * What the platform does for one object: makes an instance when something arrives, holds back what leaves until the writes
 * before it are durable, fires the alarm, kills. A crash loses what was not confirmed and every socket; an eviction loses
 * memory only. What arrives while nothing runs wakes a new instance on the same storage, the real code's only way back.
 */
import type { LogEntry, Host, HostSocket } from '../../src/session/host.ts'
import type { AttachRequest, SessionAnswer, SessionRequest, SessionVerb } from '../../src/session/requests.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import { SimulatedHost } from './simulated-host.ts'
import type { Connection } from './simulated-network.ts'
import { SimulatedStorage } from './simulated-storage.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** The session, as the platform calls it. */
export interface SessionUnderTest {
  perform(request: SessionRequest): Promise<SessionAnswer>
  attach(socket: HostSocket, request: AttachRequest): void | Promise<void>
  onFrame(socket: HostSocket, frame: string | ArrayBuffer): void | Promise<void>
  onClose(socket: HostSocket, code: number): void | Promise<void>
  onAlarm(): Promise<void>
}

/** `reset`: the object died before it could answer. */
export type Outcome<V extends SessionVerb = SessionVerb> = SessionAnswer<V> | 'reset'

interface Call {
  reset: () => void
}

interface Instance {
  host: SimulatedHost
  session: SessionUnderTest
  calls: Set<Call>
}

/** Longer than any bound that a handler may wait by; the platform would give up on it much later. */
const stuckAlarmMs = 300_000

export class SimulatedObject {
  readonly storage = new SimulatedStorage()
  /** Sockets that are open as the platform sees it. */
  readonly connections = new Set<Connection>()
  readonly clock: VirtualClock
  readonly random: Random
  readonly history: History
  /** How far this machine's clock is off; another machine's is off otherwise, so that time may go backwards at a crash. */
  skewMs = 0
  /** Up to so long a write takes to become durable. */
  confirmMs = 0
  /** Set by a planted bug only: what leaves does not wait for what was written. */
  ungated = false
  /** How likely it is that the object dies about when a tool does something. */
  danger = 0
  alarmsFired = 0
  readonly #makeSession: (host: Host) => SessionUnderTest
  #instance: Instance | null = null
  #gated: (() => void)[] = []
  /** Every line into this process, those whose close has not left yet included. */
  readonly #lines = new Set<Connection>()
  #disarm: () => void = () => {}
  #cancelConfirm: () => void = () => {}
  #alarmRunning = false

  constructor(clock: VirtualClock, random: Random, history: History, makeSession: (host: Host) => SessionUnderTest) {
    this.clock = clock
    this.random = random
    this.history = history
    this.#makeSession = makeSession
    this.storage.onDirty = () => {
      this.#cancelConfirm = clock.after(random.between(0, this.confirmMs), () => this.confirm())
    }
  }

  now(): number {
    return Math.round(this.clock.now + this.skewMs)
  }

  get host(): SimulatedHost {
    return this.#wake().host
  }

  call<R extends SessionRequest>(request: R, done: (outcome: Outcome<R['verb']>) => void): void {
    const instance = this.#wake()
    const call = { reset: () => done('reset') }
    instance.calls.add(call)
    const answered = (answer: SessionAnswer): void => {
      // Over RPC answers are copied, so that nobody sees what the object does to them later.
      const copy = JSON.stringify(answer)
      this.release(() => {
        instance.calls.delete(call)
        done(JSON.parse(copy) as SessionAnswer<R['verb']>)
      })
    }
    this.#watch(instance, `perform ${request.verb}`, () =>
      instance.session.perform(request).then((answer) => instance.host.dead || answered(answer)),
    )
  }

  accept(connection: Connection): void {
    this.connections.add(connection)
    this.#lines.add(connection)
    const { host, session } = this.#wake()
    this.#watch(this.#wake(), 'attach', () => session.attach(host.socketOf(connection), connection.request))
  }

  receive(connection: Connection, text: string): void {
    const { host, session } = this.#wake()
    this.#watch(this.#wake(), 'onFrame', () => session.onFrame(host.socketOf(connection), text))
  }

  /** The client's end is closed or lost. */
  closed(connection: Connection, code: number): void {
    this.connections.delete(connection)
    const { host, session } = this.#wake()
    this.#watch(this.#wake(), 'onClose', () => session.onClose(host.socketOf(connection), code))
  }

  /** Lets something out of the object: at once when all it was built on is durable, else with the next confirmation. */
  readonly release = (output: () => void): void => {
    if (this.ungated || (!this.storage.dirty && this.#gated.length === 0)) output()
    else this.#gated.push(output)
  }

  confirm(): void {
    this.#cancelConfirm()
    this.storage.confirm()
    this.#arm()
    const gated = this.#gated
    this.#gated = []
    for (const output of gated) output()
  }

  /** The process is gone in this very moment: with it memory, sockets, and what was written but not confirmed. */
  crash(): void {
    this.history.crashes += 1
    this.#cancelConfirm()
    this.storage.lose()
    this.#gated = []
    this.#end()
    for (const connection of this.#lines) connection.sever('object')
    this.#lines.clear()
    this.connections.clear()
    this.skewMs = this.random.chance(0.3) ? this.random.between(-4000, 4000) : this.skewMs
    this.#arm()
  }

  /** Something happens here that would be bad to lose: perhaps it is. */
  tempt(): void {
    if (!this.random.chance(this.danger)) return
    this.clock.after(this.random.pick([0, 1, 30, 400]), () => {
      if (this.danger === 0) return
      this.history.note('crash at a bad moment')
      this.crash()
    })
  }

  /** Memory goes; storage and sockets stay. */
  evict(): void {
    this.confirm()
    this.#end()
    this.#arm()
  }

  threw(where: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.history.violate('THROW', `${where}: ${text.split('\n').slice(0, 6).join(' | ')}`)
  }

  guard(where: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.threw(where, error)
    }
  }

  logged(entry: LogEntry): void {
    const line = JSON.stringify(entry)
    this.history.note(`log ${line}`)
    if (/~cmd\d|~run\d/.test(line)) this.history.violate('SEC4', `the words of a conversation are in a log line: ${line}`)
  }

  #wake(): Instance {
    if (this.#instance) return this.#instance
    const host = new SimulatedHost(this)
    this.#instance = { host, session: this.#makeSession(host), calls: new Set() }
    return this.#instance
  }

  #end(): void {
    this.history.restarts += 1
    const instance = this.#instance
    this.#instance = null
    if (!instance) return
    instance.host.die()
    for (const call of instance.calls) this.clock.after(this.random.between(1, 50), call.reset)
    if (!this.#alarmRunning) return
    // An alarm whose handler did not get to its end is tried again, unless the handler had set another: no more is promised.
    this.#alarmRunning = false
    this.storage.setAlarm(this.storage.alarm ?? this.now() + 2000)
    this.confirm()
  }

  #arm(): void {
    this.#disarm()
    const at = this.storage.durableAlarm
    if (at === null || this.#alarmRunning) return
    this.#disarm = this.clock.after(Math.max(at - this.now(), 0) + this.random.between(0, 20), () => this.#fire())
  }

  #fire(): void {
    const instance = this.#wake()
    this.alarmsFired += 1
    this.history.alarms.push(this.now())
    // An alarm is none any more while its handler runs; one that the handler sets fires after it.
    this.#alarmRunning = true
    this.storage.setAlarm(null)
    const stuck = instance.host.timer(stuckAlarmMs, () => this.history.violate('TRN4', 'an alarm handler runs for minutes'))
    const finished = (): void => {
      stuck()
      this.#alarmRunning = false
      this.#arm()
    }
    this.#watch(instance, 'onAlarm', () => instance.session.onAlarm().then(() => instance.host.dead || this.release(finished)))
  }

  #watch(instance: Instance, where: string, run: () => unknown): void {
    const failed = (error: unknown): void => {
      if (!instance.host.dead) this.threw(where, error)
    }
    try {
      Promise.resolve(run()).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
