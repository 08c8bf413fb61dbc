/** The Durable Object: one session on its host. The only file that knows `cloudflare:workers`. */
import { DurableObject } from 'cloudflare:workers'
import type { AgentRegistry } from '../agents/agent.ts'
import { modelsOf } from '../agents/models/models.ts'
import { ServerAgents } from '../agents/server-agents.ts'
import { agentToolsOf } from '../agents/tools/agent-tools.ts'
import { agentDefinitionsOf } from '../session-index/agent-definitions.ts'
import { D1IndexWriter } from '../session-index/session-writer.ts'
import { ObjectHost } from './object-host.ts'
import { ATTACH_HEADER, parseObjectName, type AttachRequest, type SessionAnswer, type SessionRequest } from './requests.ts'
import { Session } from './session.ts'

export function serverAgents(tenant: string, env: Env): AgentRegistry {
  return new ServerAgents({ tenant, source: agentDefinitionsOf(env), models: modelsOf(env), tools: agentToolsOf(env) })
}

export class SessionObject extends DurableObject<Env> {
  readonly #session: Session
  readonly #host: ObjectHost

  /** The platform gives the first two; a subclass may bring other agents. */
  constructor(ctx: DurableObjectState, env: Env, agentsOf: (tenant: string, env: Env) => AgentRegistry = serverAgents) {
    super(ctx, env)
    // Answered by the runtime, so that a ping wakes nobody.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
    this.#host = new ObjectHost(ctx)
    const name = parseObjectName(ctx.id.name ?? '')
    this.#session = new Session(this.#host, name, { agents: agentsOf(name.tenant, env), index: new D1IndexWriter(env.INDEX) })
  }

  perform(request: SessionRequest): Promise<SessionAnswer> {
    return this.#session.perform(request)
  }

  /** An upgrade that the edge passed on. */
  override async fetch(request: Request): Promise<Response> {
    const attach = JSON.parse(request.headers.get(ATTACH_HEADER) ?? '') as AttachRequest
    const { 0: client, 1: server } = new WebSocketPair()
    await this.#accept(server, attach)
    const headers = attach.subprotocol === null ? {} : { 'Sec-WebSocket-Protocol': attach.subprotocol }
    return new Response(null, { status: 101, webSocket: client, headers })
  }

  async #accept(socket: WebSocket, attach: AttachRequest): Promise<void> {
    const refused = this.#session.attachRefusal(attach)
    if (refused) {
      // Not as a hibernating socket: workerd ends those up to ten seconds late when their client never sent a frame (2026-11).
      socket.accept()
      return socket.close(refused.code, refused.reason)
    }
    this.ctx.acceptWebSocket(socket)
    await this.#session.attach(this.#host.socketOf(socket), attach)
  }

  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    this.#session.onFrame(this.#host.socketOf(socket), frame)
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // A hibernatable socket's close is not answered by the runtime; 1005, 1006 and 1015 may not be sent (RFC 6455, 7.4.1).
    const answer = code === 1005 || code === 1006 || code === 1015 ? 1000 : code
    const hostSocket = this.#host.socketOf(socket)
    hostSocket.close(answer, reason)
    this.#session.onClose(hostSocket)
  }

  override webSocketError(socket: WebSocket): void {
    this.#session.onClose(this.#host.socketOf(socket))
  }

  override alarm(): Promise<void> {
    return this.#session.onAlarm()
  }
}
