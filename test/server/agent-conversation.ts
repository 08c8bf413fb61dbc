/** One session of a model agent, with a model of its own at the upstream, so that conversations do not take each other's answers. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Approval } from '../../src/protocol/approval.ts'
import type { Event, EventOf } from '../../src/protocol/event.ts'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import type { Message } from '../../src/protocol/message.ts'
import type { Session } from '../../src/protocol/session.ts'
import type { Turn } from '../../src/protocol/turn.ts'
import type { Answer, Dialect } from '../upstream/answer.ts'
import type { RecordedCall } from '../upstream/recorded-call.ts'
import type { RunningUpstream } from '../upstream/running-upstream.ts'
import { faultsOf, storyOf } from './event-story.ts'
import type { Credentials, SessionApi } from './session-api.ts'
import { SessionSocket } from './session-socket.ts'
import { SseParser } from './session-stream.ts'

const pollMs = 15
const patienceMs = 30_000

export interface Answered {
  status: number
  body: unknown
}

/** What a conversation needs of the world it is in. */
interface Surroundings {
  readonly api: SessionApi
  readonly server: Credentials
  readonly upstream: RunningUpstream
  ask(method: string, path: string, body?: unknown): Promise<Answered>
  agent(definition: object): Promise<string>
}

export interface ConversationOptions {
  /** A definition, or the name of an agent that is there. */
  agent?: object | string
  session?: object
}

export class AgentConversation {
  readonly sessionId: string
  readonly agent: string
  readonly dialect: Dialect
  /** As the upstream knows it. */
  readonly model: string
  /** Somebody who is attached all the time, and whose idea of the session must be the log's. */
  readonly viewer: SessionSocket
  readonly #world: Surroundings

  private constructor(world: Surroundings, sessionId: string, agent: string, dialect: Dialect, model: string) {
    this.#world = world
    this.sessionId = sessionId
    this.agent = agent
    this.dialect = dialect
    this.model = model
    this.viewer = new SessionSocket(world.server, sessionId)
  }

  static async begin(world: Surroundings, dialect: Dialect, { agent = {}, session = {} }: ConversationOptions): Promise<AgentConversation> {
    const model = `model-${crypto.randomUUID().slice(0, 8)}`
    const name = typeof agent === 'string' ? agent : await world.agent(agent)
    const { id } = await world.api.createSession({ agent: name, model: `${dialect}/${model}`, ...session })
    const conversation = new AgentConversation(world, id, name, dialect, model)
    await conversation.viewer.attach()
    return conversation
  }

  get path(): string {
    return `/v1/sessions/${this.sessionId}`
  }

  script(...answers: Answer[]): Promise<void> {
    return this.#world.upstream.script(this.model, answers)
  }

  async submit(input: string, whenBusy?: string): Promise<Turn> {
    return (await this.#world.api.submitTurn(this.sessionId, { input, ...(whenBusy !== undefined && { whenBusy }) })).turn
  }

  /** Has one turn answered as scripted, to its end or until it waits. */
  async turn(input: string, ...answers: Answer[]): Promise<TurnTold> {
    await this.script(...answers)
    const { id } = await this.submit(input)
    return this.settled(id)
  }

  /** Resolves when the turn has ended or waits for a person. */
  async settled(turnId: string): Promise<TurnTold> {
    const deadline = Date.now() + patienceMs
    for (;;) {
      const { body } = await this.#world.ask('GET', `${this.path}/turns/${turnId}`)
      const turn = body as Turn
      if (turn.status !== 'running' && turn.status !== 'queued') return new TurnTold(turn, await this.events())
      if (Date.now() > deadline) throw new Error(`The turn did not settle: ${JSON.stringify(storyOf(await this.events()))}`)
      await sleep(pollMs)
    }
  }

  /** The events of a stream of this session, once it has ended. */
  async stream(
    path: string,
    { headers = {}, ...init }: { method?: string; body?: string; headers?: Record<string, string> },
  ): Promise<Event[]> {
    const { url, key } = this.#world.server
    const ours = { authorization: `Bearer ${key}`, accept: 'text/event-stream', 'content-type': 'application/json' }
    const response = await fetch(url + this.path + path, { ...init, headers: { ...ours, ...headers } })
    const frames = new SseParser().push(await response.text()).map(({ data }) => JSON.parse(data) as ServerFrame)
    return frames.flatMap((frame) => (frame.type === 'event' ? [frame.event] : []))
  }

  cancel(turnId: string): Promise<Answered> {
    return this.#world.ask('POST', `${this.path}/turns/${turnId}/cancel`)
  }

  answer(approvalId: string, decision: object): Promise<Answered> {
    return this.#world.ask('POST', `${this.path}/approvals/${approvalId}`, decision)
  }

  events(): Promise<Event[]> {
    return this.#world.api.events(this.sessionId)
  }

  /** What is wrong with the log, and with what the viewer made of it; everything must be at rest. */
  async faults(): Promise<string[]> {
    const events = await this.events()
    const { transcript } = this.viewer
    const deadline = Date.now() + patienceMs
    while (transcript.cursor < events.length && Date.now() < deadline) await sleep(pollMs)
    const seen = JSON.stringify(transcript.events) === JSON.stringify(events) ? [] : [`ATT1: the viewer saw ${transcript.cursor} events`]
    const faults = [...faultsOf(events), ...transcript.faults, ...seen]
    return faults.map((fault) => `${this.sessionId}: ${fault}; ${storyOf(events).join(', ')}`)
  }

  session(): Promise<Session> {
    return this.#world.api.session(this.sessionId)
  }

  /** Model calls that the upstream saw. */
  calls(): Promise<RecordedCall[]> {
    return this.#world.upstream.calls(this.model)
  }

  /** Resolves when the upstream holds an answer of this conversation at the gate. */
  reached(gate: string): Promise<void> {
    return this.#world.upstream.reached(this.model, gate)
  }
}

/** A turn and its part of the log. */
export class TurnTold {
  readonly turn: Turn
  readonly events: Event[]

  constructor(turn: Turn, all: Event[]) {
    this.turn = turn
    this.events = all.filter((event) => 'turnId' in event && event.turnId === turn.id)
  }

  /** What became of it, from its start on. */
  get story(): string[] {
    return storyOf(this.events).filter((line) => line !== 'turn.queued' && line !== 'turn.started')
  }

  get messages(): Message[] {
    return this.of('message.completed').map(({ message }) => message)
  }

  /** All text of the assistant. */
  get text(): string {
    const parts = this.messages.filter(({ role }) => role === 'assistant').flatMap((message) => message.parts)
    return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }

  /** Outputs of tools, in the order of their results. */
  get outputs(): unknown[] {
    return this.messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool-result' ? [part.output] : [])))
  }

  get approvals(): Approval[] {
    return this.of('approval.requested').map(({ approval }) => approval)
  }

  of<T extends Event['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type)
  }
}
