/** Frames that clients send: each is parsed, authorised and executed, and gets exactly one reply. */
import * as v from 'valibot'
import type { Agent } from '../agents/agent.ts'
import { authorize, type Verb } from '../protocol/access.ts'
import { isConfiguration, type UpdateSession } from '../protocol/body.ts'
import { refuse, type Refusal, type Result } from '../protocol/errors.ts'
import { ClientFrameSchema, closeCodes, FrameIdSchema, type ClientFrame } from '../protocol/frame.ts'
import { parseJson, parseWith } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'
import type { Admission, Caller, Outcome } from './admission.ts'
import type { Connection, Connections } from './connections.ts'
import type { Host } from './host.ts'

type FrameId = string | number | null

/** The agent that a session will have with this patch; null: the one it has. */
type AgentFor = (patch: UpdateSession) => Promise<Result<Agent | null>>

/** The verb of each frame type of the contract, for those too that this server does not take yet. */
const frameVerbs: Record<string, Verb> = {
  turn: 'turn',
  cancel: 'cancel',
  approve: 'approve',
  compact: 'compact',
  undoCompaction: 'undoCompaction',
  rewind: 'rewind',
  unrewind: 'unrewind',
  checkpoint: 'checkpoint',
  update: 'update',
}

const EnvelopeSchema = v.looseObject({ id: FrameIdSchema, type: v.string() })

export class Frames {
  readonly #host: Host
  readonly #connections: Connections
  readonly #admission: Admission
  readonly #sessionId: string
  readonly #agentFor: AgentFor

  constructor(host: Host, connections: Connections, admission: Admission, sessionId: string, agentFor: AgentFor) {
    this.#host = host
    this.#connections = connections
    this.#admission = admission
    this.#sessionId = sessionId
    this.#agentFor = agentFor
  }

  receive(connection: Connection, frame: string | ArrayBuffer): void {
    if (!this.#connections.isAuthorized(connection)) return
    const { id, outcome } = this.#take(connection, frame)
    if (outcome instanceof Promise) this.#host.background(outcome.then((late) => this.#reply(connection, id, late)))
    else this.#reply(connection, id, outcome)
  }

  #reply(connection: Connection, id: FrameId, outcome: Outcome<unknown>): void {
    if (outcome.ok) {
      connection.badFrames = 0
      this.#connections.send(connection, { type: 'reply', id, ok: true, result: outcome.value })
    } else this.#refuse(connection, id, outcome.error)
  }

  #take(connection: Connection, frame: string | ArrayBuffer): { id: FrameId; outcome: Outcome<unknown> | Promise<Outcome<unknown>> } {
    if (typeof frame !== 'string') return { id: null, outcome: refuse('invalid_request', 'Frames are text; this one was binary.') }
    if (isTooLong(frame)) return { id: null, outcome: refuse('payload_too_large', `A frame may have ${limits.frameBytes} bytes.`) }
    const json = parseJson(frame)
    if (!json.ok) return { id: null, outcome: json }
    const envelope = parseWith(EnvelopeSchema, json.value)
    if (!envelope.ok) return { id: idOf(json.value), outcome: envelope }
    const { id, type } = envelope.value
    const allowed = this.#authorize(connection, type, json.value)
    const parsed = allowed.ok ? parseWith(ClientFrameSchema, json.value) : allowed
    return { id, outcome: parsed.ok ? this.#execute(connection, parsed.value) : parsed }
  }

  /** Before the frame's fields are looked at, so that a token learns nothing by trying. */
  #authorize({ principal }: Connection, type: string, frame: unknown): Result<null> {
    const verb = frameVerbs[type]
    if (!verb) return refuse('invalid_request', `There is no frame of type ${type.slice(0, 40)}.`)
    const patch = type === 'update' && isRecord(frame) && isRecord(frame.patch) ? frame.patch : {}
    return authorize(principal, isConfiguration(patch) ? 'configure' : verb, this.#sessionId)
  }

  /** A throw means a bug or broken storage; the client still learns that its frame was not taken. */
  #execute(connection: Connection, frame: ClientFrame): Outcome<unknown> | Promise<Outcome<unknown>> {
    const { principal } = connection
    if (frame.type !== 'update') return this.#safely(frame.type, () => this.#command({ principal, key: frame.key }, frame))
    const { patch } = frame
    const update = (agent: Agent | null) =>
      this.#safely(frame.type, () => this.#admission.update({ principal, key: frame.key }, patch, null, agent))
    if (patch.agent === undefined && patch.model === undefined) return update(null)
    // What came meanwhile may have ended the connection, and with it the right to ask.
    return this.#agentFor(patch).then((agent) => {
      if (!agent.ok) return agent
      return connection.open ? update(agent.value) : refuse('unauthorized', 'The connection was closed.')
    })
  }

  #safely(type: string, command: () => Outcome<unknown>): Outcome<unknown> {
    try {
      return command()
    } catch (error) {
      this.#host.log({ event: 'frame.failed', level: 'error', type, error: error instanceof Error ? error.name : 'unknown' })
      return refuse('internal', 'The command could not be taken. Send it again under the same key.')
    }
  }

  #command(caller: Caller, frame: Exclude<ClientFrame, { type: 'update' }>): Outcome<unknown> {
    switch (frame.type) {
      case 'turn':
        return this.#admission.submitTurn(caller, { input: frame.input, whenBusy: frame.whenBusy }, 'socket')
      case 'cancel':
        return this.#admission.cancelTurn(caller, frame.turnId)
      case 'approve': {
        const { approvalId, decision, scope, reason } = frame
        return this.#admission.answerApproval(caller, approvalId, { decision, scope, ...(reason !== undefined && { reason }) })
      }
    }
  }

  #refuse(connection: Connection, id: FrameId, error: Refusal): void {
    const isBad = error.code === 'invalid_request' || error.code === 'payload_too_large'
    connection.badFrames = isBad ? connection.badFrames + 1 : 0
    this.#connections.send(connection, { type: 'reply', id, ok: false, error: bodyOf(error) })
    if (connection.badFrames > limits.badFramesInARow) {
      this.#connections.close(connection, closeCodes.badRequest, 'Too many frames in a row could not be understood.')
    }
  }
}

function bodyOf({ code, message, retryable, issues, approval }: Refusal) {
  return { code, message, retryable, ...(issues && { issues }), ...(approval && { approval }) }
}

function isTooLong(text: string): boolean {
  if (text.length > limits.frameBytes) return true
  return text.length * 3 > limits.frameBytes && new TextEncoder().encode(text).length > limits.frameBytes
}

/** So that even a frame that cannot be understood is answered under its own id, where it has one. */
function idOf(frame: unknown): FrameId {
  const id = v.safeParse(FrameIdSchema, isRecord(frame) ? frame.id : null)
  return id.success ? id.output : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
