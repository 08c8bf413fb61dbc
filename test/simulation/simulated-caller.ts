/**
 * A client over HTTP, that is, over RPC from the edge: it asks, and asks again under the same key when it heard no answer,
 * sometimes twice at once. What it reads is checked against what everybody else was shown.
 */
import type { Principal } from '../../src/protocol/access.ts'
import { levelOf } from '../../src/protocol/access.ts'
import type { SessionAnswer, SessionRequest } from '../../src/session/requests.ts'
import { readResult, refusalOf, type CommandBody, type DrawnCommand } from './commands.ts'
import type { CommandRecord, History } from './history.ts'
import type { Random } from './random.ts'
import type { Outcome, SimulatedObject } from './simulated-object.ts'

type Envelope = Pick<SessionRequest, 'principal' | 'requestId' | 'tenant' | 'sessionId' | 'key'>

export class SimulatedCaller {
  readonly principal: Principal
  /** Part of the answers get lost. */
  isUnlucky = true
  /** Asked and not answered yet. */
  open = 0
  readonly #object: SimulatedObject
  readonly #history: History
  readonly #random: Random
  readonly #address: { tenant: string; sessionId: string }
  #requests = 0

  constructor(principal: Principal, address: { tenant: string; sessionId: string }, object: SimulatedObject) {
    this.principal = principal
    this.#address = address
    this.#object = object
    this.#history = object.history
    this.#random = object.random
  }

  command({ record, body }: DrawnCommand): void {
    this.#history.note(`caller asks ${record.key} ${JSON.stringify(body)}`)
    const request = this.#requestOf(body, record.key)
    this.#ask(request, record, 0)
    if (this.#random.chance(0.15)) this.#ask(request, record, 0)
  }

  /** Uses a key again for something else: never accepted, never without effect on the answer (TRN6). */
  reuseKey(record: CommandRecord): void {
    const request = this.#requestOf({ verb: 'update', args: { patch: { title: 'a conflict' } } }, record.key)
    this.ask(request, (answer) => {
      if (answer.ok || answer.error.code !== 'idempotency_conflict') {
        this.#history.violate('TRN6', `key ${record.key} was used for another command and answered ${JSON.stringify(answer)}`)
      }
    })
  }

  /** Asks until there is an answer. */
  ask<R extends SessionRequest>(request: R, done: (answer: SessionAnswer<R['verb']>) => void): void {
    this.open += 1
    this.#deliver(request, (outcome) => {
      this.open -= 1
      if (outcome === 'reset') this.#object.clock.after(this.#random.between(1, 300), () => this.ask(request, done))
      else done(outcome)
    })
  }

  read(): void {
    if (this.#random.chance(0.5)) return this.ask({ verb: 'get', ...this.envelope(), args: {} }, (answer) => this.sawSession(answer))
    const after = this.#random.between(0, this.#history.events.size)
    this.ask({ verb: 'listEvents', ...this.envelope(), args: { after, limit: 20 } }, (answer) => this.sawEvents(after, answer))
  }

  /** All of a request but its verb and arguments. */
  envelope(key?: string): Envelope {
    const requestId = `request-${++this.#requests}`
    return { principal: this.principal, requestId, ...this.#address, ...(key !== undefined && { key }) }
  }

  sawSession(answer: SessionAnswer<'get'>): void {
    if (answer.ok) this.#history.sawSession('caller', answer.value, levelOf(this.principal))
  }

  sawEvents(after: number, answer: SessionAnswer<'listEvents'>): void {
    if (!answer.ok) return
    for (const [i, event] of answer.value.items.entries()) {
      if (event.seq !== after + i + 1) this.#history.violate('LOG1', `listEvents after ${after} has event ${event.seq} in place ${i}`)
      this.#history.sawEvent('caller', event, levelOf(this.principal))
    }
  }

  /** An answer that got lost on the way is no answer: the effect may be there, and the key says so when it asks again. */
  #ask(request: SessionRequest<CommandBody['verb']>, record: CommandRecord, tries: number): void {
    record.unanswered += 1
    this.open += 1
    this.#deliver(request, (outcome) => {
      this.open -= 1
      const lost = outcome === 'reset' || (this.isUnlucky && this.#random.chance(0.1))
      if (lost) return this.#askAgain(request, record, tries)
      record.unanswered -= 1
      record.answers.push(outcome.ok ? { ok: true, ...readResult(outcome.value) } : refusalOf(outcome.error))
      this.#history.note(`caller gets ${record.key} ${outcome.ok ? 'ok' : outcome.error.code}`)
    })
  }

  /** Gives up after a few tries, like people do: then nobody knows whether the command had an effect. */
  #askAgain(request: SessionRequest<CommandBody['verb']>, record: CommandRecord, tries: number): void {
    if (tries >= 4) return
    this.#object.clock.after(this.#random.between(1, 500), () => this.#ask(request, record, tries + 1))
  }

  #deliver<R extends SessionRequest>(request: R, done: (outcome: Outcome<R['verb']>) => void): void {
    const { clock } = this.#object
    clock.after(this.#random.between(0, 20), () => {
      this.#object.call(request, (outcome) => clock.after(this.#random.between(0, 20), () => done(outcome)))
    })
  }

  #requestOf(body: CommandBody, key: string): SessionRequest<CommandBody['verb']> {
    const envelope = this.envelope(key)
    if (body.verb === 'update') return { verb: body.verb, ...envelope, args: { ...body.args, ifMatch: null } }
    if (body.verb === 'cancelTurn') return { verb: body.verb, ...envelope, args: body.args }
    if (body.verb === 'answerApproval') return { verb: body.verb, ...envelope, args: body.args }
    return { verb: body.verb, ...envelope, args: body.args }
  }
}
