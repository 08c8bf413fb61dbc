/**
 * A client whose line is cut at random deltas while it follows turns of its own session, over a socket or over server-sent
 * events. It comes back with its cursor each time; what it has to say about the text is in its transcript.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventOf } from '../../src/protocol/event.ts'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import { BreakableLine } from '../server/breakable-line.ts'
import { SessionApi, type Credentials } from '../server/session-api.ts'
import { SessionSocket } from '../server/session-socket.ts'
import { SessionStream } from '../server/session-stream.ts'
import type { Random } from '../simulation/random.ts'

/** Cuts that are still to be made, by all followers together. */
export interface CutBudget {
  left: number
}

export type Channel = 'socket' | 'stream'

const turnMs = 60_000
/** Words whose UTF-16 units outnumber their characters, some by far. */
const emojiWords = ['👩‍👩‍👧‍👦', '🇫🇮🇯🇵', '👍🏽', '𝒳𝓎𝓏', 'naïve', '💾', '🧑🏿‍🚀→🪐', '語', '😀'.repeat(40)]

export class CutFollower {
  readonly sessionId: string
  /** What each turn must answer, by its id. */
  readonly #expected = new Map<string, string>()
  readonly #client: SessionSocket | SessionStream
  readonly #line: BreakableLine
  readonly #api: SessionApi
  readonly #random: Random
  readonly #budget: CutBudget
  #deltasUntilCut: number
  #heldMessages = 1

  private constructor(server: Credentials, sessionId: string, channel: Channel, line: BreakableLine, random: Random, budget: CutBudget) {
    const overLine = { url: line.url, key: server.key }
    this.sessionId = sessionId
    this.#api = new SessionApi(server)
    this.#line = line
    this.#random = random
    this.#budget = budget
    this.#deltasUntilCut = random.between(1, 4)
    this.#client = channel === 'socket' ? new SessionSocket(overLine, sessionId) : new SessionStream(overLine, sessionId)
    this.#client.onFrame = (frame) => this.#onFrame(frame)
  }

  static async attach(server: Credentials, channel: Channel, random: Random, budget: CutBudget): Promise<CutFollower> {
    const { id } = await new SessionApi(server).createSession()
    const follower = new CutFollower(server, id, channel, await BreakableLine.open(server.url), random, budget)
    const client = follower.#client
    if (client instanceof SessionSocket) await client.attach()
    else void client.follow()
    return follower
  }

  get transcript() {
    return this.#client.transcript
  }

  /** Has turn after turn answered, until no cut is left to be made. */
  async run(): Promise<void> {
    do await this.#turn()
    while (this.#budget.left > 0)
    if (this.#client instanceof SessionSocket) await this.#client.leave()
    else this.#client.leave()
    this.#line.close()
  }

  /** Answers that are not what the agent was asked for. */
  wrongAnswers(): string[] {
    const messages = this.transcript.events.filter((event): event is EventOf<'message.completed'> => event.type === 'message.completed')
    const answers = new Map(
      messages.map(({ turnId, message }) => [turnId, message.parts.map((part) => ('text' in part ? part.text : '')).join('')]),
    )
    return [...this.#expected].flatMap(([turnId, text]) => (answers.get(turnId) === text ? [] : [`${turnId}: ${answers.get(turnId)}`]))
  }

  async #turn(): Promise<void> {
    const { input, answer } = this.#random.chance(0.4) ? this.#numbers() : this.#emoji()
    const { turn } = await this.#api.submitTurn(this.sessionId, { input })
    this.#expected.set(turn.id, answer)
    this.#heldMessages += 2
    const deadline = Date.now() + turnMs
    while (!this.#hasEnded(turn.id)) {
      if (Date.now() > deadline)
        throw new Error(`${this.sessionId} did not tell the end of ${turn.id}: ${JSON.stringify(this.transcript.faults)}`)
      await sleep(20)
    }
  }

  #hasEnded(turnId: string): boolean {
    return this.transcript.events.some((event) => event.type === 'turn.completed' && event.turnId === turnId)
  }

  #numbers(): { input: string; answer: string } {
    const count = this.#random.between(80, 200)
    const words = Array.from({ length: count }, (_, index) => `w${index + 1}`)
    return { input: `/stream ${count} ${this.#random.between(5, 15)}`, answer: words.join(' ') }
  }

  #emoji(): { input: string; answer: string } {
    const input = Array.from({ length: this.#random.between(40, 90) }, () => this.#random.pick(emojiWords)).join(' ')
    const held = `${this.#heldMessages} ${this.#heldMessages === 1 ? 'message' : 'messages'}`
    return { input, answer: `**Demo agent.** My context holds ${held}. You said:\n\n${input}` }
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.type === 'ready') this.#deltasUntilCut = this.#random.between(1, 4)
    if (frame.type !== 'delta' || this.#budget.left === 0 || --this.#deltasUntilCut !== 0) return
    this.#budget.left -= 1
    this.#line.cut()
  }
}
