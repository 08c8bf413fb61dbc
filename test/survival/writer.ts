/**
 * A user who sends one command after another, each with a key and a word of its own, over HTTP or over a socket, and sends
 * it again until the server has answered. What was answered is remembered, to be held against the log.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionApi } from '../server/session-api.ts'
import type { SessionSocket } from '../server/session-socket.ts'
import type { Random } from '../simulation/random.ts'

export interface TurnCommand {
  input: string
  whenBusy: string
}

/** How an accepted turn was acknowledged. */
export interface Receipt {
  seq: number
  turnId: string
}

export interface Acknowledged extends Receipt {
  sessionId: string
  /** Stands in the input, and nowhere else. */
  word: string
}

/** Resolves once the server has answered, whatever happens to it meanwhile. */
export type SendTurn = (command: TurnCommand, key: string) => Promise<Receipt>

export function overHttp(api: SessionApi, sessionId: string): SendTurn {
  return async (command, key) => {
    const { turn, seq } = await api.submitTurn(sessionId, command, key)
    return { seq, turnId: turn.id }
  }
}

export function overSocket(socket: SessionSocket): SendTurn {
  return async (command, key) => {
    const reply = await socket.command({ type: 'turn', ...command }, key)
    if (!reply.ok) throw new Error(`refused: ${reply.error.code} ${reply.error.message}`)
    const { turn, seq } = reply.result as { turn: { id: string }; seq: number }
    return { seq, turnId: turn.id }
  }
}

const ways = ['enqueue', 'enqueue', 'enqueue', 'collect', 'steer', 'interrupt'] as const

export class Writer {
  readonly acknowledged: Acknowledged[] = []
  /** Repeats of an answered command that were answered otherwise. */
  readonly contradictions: string[] = []
  readonly #name: string
  readonly #sessionId: string
  readonly #send: SendTurn
  readonly #random: Random
  #isStopping = false

  constructor(name: string, sessionId: string, send: SendTurn, random: Random) {
    this.#name = name
    this.#sessionId = sessionId
    this.#send = send
    this.#random = random
  }

  stop(): void {
    this.#isStopping = true
  }

  /** Until stopped; then until the last command was answered. */
  async run(): Promise<void> {
    for (let count = 1; !this.#isStopping; count++) {
      await this.#write(`${this.#name}-${count}.`)
      await sleep(this.#random.between(0, 80))
    }
  }

  async #write(word: string): Promise<void> {
    const command = { input: `${word} ${'and so on '.repeat(this.#random.between(0, 8))}`, whenBusy: this.#random.pick(ways) }
    const receipt = await this.#send(command, word)
    this.acknowledged.push({ ...receipt, word, sessionId: this.#sessionId })
    if (!this.#random.chance(0.15)) return
    const { seq, turnId } = await this.#send(command, word)
    if (seq !== receipt.seq || turnId !== receipt.turnId) {
      this.contradictions.push(`TRN6: ${word} was acknowledged as ${JSON.stringify(receipt)}, then as ${seq} ${turnId}`)
    }
  }
}
