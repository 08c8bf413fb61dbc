/**
 * A client over the socket, as somebody would write it from the public contract: it attaches after its cursor, comes back
 * when the line breaks, gives each command an id and a key, and resends it until it is answered. Its mischief (resending
 * what was answered, reading slowly, sending nonsense) is allowed by the contract too.
 */
import type { Level, Principal } from '../../src/protocol/access.ts'
import { levelOf } from '../../src/protocol/access.ts'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import { readResult, refusalOf, type CommandBody, type DrawnCommand } from './commands.ts'
import type { CommandRecord, History } from './history.ts'
import type { Random } from './random.ts'
import { Connection, type ClientEnd, type Weather } from './simulated-network.ts'
import type { SimulatedObject } from './simulated-object.ts'
import { Transcript } from './transcript.ts'

/** Close codes after which the same request would be refused again. */
const finalCodes = new Set([4400, 4401, 4403, 4429])

export class SimulatedClient implements ClientEnd {
  readonly name: string
  readonly principal: Principal
  readonly transcript: Transcript
  /** It comes back by itself when a line breaks. */
  wanted = false
  /** The code that ended it for good. */
  refusedWith: number | null = null
  readonly #object: SimulatedObject
  readonly #history: History
  readonly #random: Random
  readonly #weather: Weather
  readonly #address: { tenant: string; sessionId: string }
  readonly #pending = new Map<string, { text: string; record: CommandRecord }>()
  readonly #sent = new Map<string, { text: string; record: CommandRecord }>()
  #connection: Connection | null = null
  #attaches = 0

  constructor(
    name: string,
    principal: Principal,
    address: { tenant: string; sessionId: string },
    object: SimulatedObject,
    weather: Weather,
  ) {
    this.name = name
    this.principal = principal
    this.#address = address
    this.#object = object
    this.#history = object.history
    this.#random = object.random
    this.#weather = weather
    this.transcript = new Transcript(name, this.level, this.#history)
  }

  get level(): Level {
    return levelOf(this.principal)
  }

  get isConnected(): boolean {
    return this.#connection !== null
  }

  /** Every command was answered, unless it can't be any more. */
  get isServed(): boolean {
    return this.#pending.size === 0 || this.refusedWith !== null
  }

  connect(after: number | null = this.transcript.cursor ?? 0): void {
    if (this.#connection || this.refusedWith !== null) return
    this.wanted = true
    this.transcript.begin(after)
    const requestId = `${this.name}-${++this.#attaches}`
    this.#history.note(`${requestId} attaches after ${after}`)
    const request = { ...this.#address, principal: this.principal, requestId, after, subprotocol: null }
    this.#connection = new Connection(requestId, request, this, this.#object, this.#weather)
  }

  /** Leaves properly, and stays away until told to come back. */
  leave(): void {
    this.#history.note(`${this.name} leaves`)
    this.wanted = false
    this.#connection?.close(1000)
    this.#connection = null
  }

  loseLine(): void {
    this.#history.note(`${this.name} loses its line`)
    this.#connection?.sever('line')
  }

  stopReading(): void {
    if (this.#connection) this.#connection.paused = true
  }

  readOn(): void {
    this.#connection?.resume()
  }

  command({ record, body }: DrawnCommand): void {
    const id = `${this.name}:${record.key}`
    const command = { text: JSON.stringify({ id, key: record.key, ...frameOf(body) }), record }
    this.#pending.set(id, command)
    this.#sent.set(id, command)
    this.#send(command)
  }

  /** Sends something again that was sent, answered or not. */
  repeat(): void {
    const commands = [...this.#sent.values()]
    if (commands.length > 0) this.#send(this.#random.pick(commands))
  }

  /** What no server accepts; it must answer and stay open. */
  babble(): void {
    const nonsense = ['{', '[]', '{"id":1,"type":"turn"}', '{"id":"x","type":"shout"}', '"hm"', '{"id":null,"type":"cancel"}']
    this.#connection?.send(this.#random.pick(nonsense))
  }

  onFrame(text: string): void {
    const frame = JSON.parse(text) as ServerFrame
    // The schema check costs more than the rest of a frame, and a wrong shape shows in many.
    if (this.#random.chance(0.05)) this.transcript.checkShape(frame)
    if (frame.type === 'reply') this.#reply(frame)
    else this.transcript.take(frame)
    // What was not answered before the line broke is sent again under its id and key, as the contract asks.
    if (frame.type === 'hello') for (const command of this.#pending.values()) this.#send(command)
  }

  /** It tries again by itself, unless the code says that it would be refused again. */
  onClose(code: number): void {
    this.#history.note(`${this.name} is closed with ${code}`)
    this.#connection = null
    if (code === 4400) this.#history.violate('ATT1', `${this.name} knows events up to ${this.transcript.cursor}, which the object denies`)
    if (finalCodes.has(code)) this.refusedWith = code
    if (!this.wanted || this.refusedWith !== null) return
    this.#object.clock.after(this.#random.between(1, 400), () => this.wanted && this.connect())
  }

  #send(command: { text: string; record: CommandRecord }): void {
    if (!this.#connection) return
    command.record.unanswered += 1
    this.#history.note(`${this.name} sends ${command.text}`)
    this.#connection.send(command.text)
  }

  #reply(frame: Extract<ServerFrame, { type: 'reply' }>): void {
    const command = this.#sent.get(String(frame.id))
    if (!command) return
    this.#pending.delete(String(frame.id))
    command.record.unanswered -= 1
    command.record.answers.push(frame.ok ? { ok: true, ...readResult(frame.result) } : refusalOf(frame.error))
    this.#history.note(`${this.name} gets ${command.record.key} ${frame.ok ? 'ok' : frame.error.code}`)
  }
}

function frameOf(body: CommandBody): object {
  if (body.verb === 'submitTurn') return { type: 'turn', ...body.args }
  if (body.verb === 'cancelTurn') return { type: 'cancel', ...body.args }
  if (body.verb === 'answerApproval') return { type: 'approve', approvalId: body.args.approvalId, ...body.args.answer }
  return { type: 'update', ...body.args }
}
