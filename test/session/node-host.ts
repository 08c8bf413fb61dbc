/** A session in Node, on a real SQLite, with a clock that tests move and sockets that read only when they are told to. */
import { demoAgent } from '../../src/agents/demo-agent.ts'
import { createAgentRegistry } from '../agents/agent-registry.ts'
import type { Principal } from '../../src/protocol/access.ts'
import type { Event } from '../../src/protocol/event.ts'
import type { ServerFrame } from '../../src/protocol/frame.ts'
import type { Host, HostSocket } from '../../src/session/host.ts'
import type { SessionRequest } from '../../src/session/requests.ts'
import { Session } from '../../src/session/session.ts'
import { NodeSql } from '../storage/node-sql.ts'

const sessionId = `ses_${'0'.repeat(26)}`
const principal: Principal = { kind: 'key', id: 'test', tenant: 'default', scope: 'admin' }
const agents = createAgentRegistry([demoAgent], demoAgent.name)
const who = { principal, requestId: 'test', tenant: 'default', sessionId }

export class NodeHost implements Host {
  readonly sql = new NodeSql()
  readonly open: HostSocket[] = []
  readonly #timers = new Set<{ at: number; callback: () => void }>()
  #now = 1_000_000
  #entropy = 0

  transaction<T>(change: () => T): T {
    return this.sql.transaction(change)
  }

  async deleteAll(): Promise<void> {
    throw new Error('Nothing is erased here')
  }

  now(): number {
    return this.#now
  }

  entropy(length: number): string {
    return String(++this.#entropy).padStart(length, '0')
  }

  setAlarm(): void {}

  async alarmAt(): Promise<null> {
    return null
  }

  background(work: Promise<unknown>): void {
    void work
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  sockets(): HostSocket[] {
    return this.open
  }

  log(): void {}

  /** Lets so much time pass; whatever comes due runs, and what follows from it. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settled()
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at)
      if (!next || next.at > until) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = until
  }
}

/** Promises only, no clock: everything that can go on without time has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The far end takes bytes off the wire only by `read`. */
export class WireSocket implements HostSocket {
  readonly frames: ServerFrame[] = []
  closeCode: number | null = null
  peakBytes = 0
  bufferedBytes = 0
  #attachment: unknown = null
  readonly #readsAtOnce: boolean

  constructor(readsAtOnce: boolean) {
    this.#readsAtOnce = readsAtOnce
  }

  send(text: string): void {
    if (this.closeCode !== null) throw new Error('A frame follows the close')
    this.frames.push(JSON.parse(text) as ServerFrame)
    if (this.#readsAtOnce) return
    this.bufferedBytes += Buffer.byteLength(text)
    this.peakBytes = Math.max(this.peakBytes, this.bufferedBytes)
  }

  close(code: number): void {
    this.closeCode ??= code
  }

  read(bytes = Infinity): void {
    this.bufferedBytes = Math.max(0, this.bufferedBytes - bytes)
  }

  attachment(): unknown {
    return this.#attachment
  }

  setAttachment(value: unknown): void {
    this.#attachment = structuredClone(value)
  }

  get events(): Event[] {
    return this.frames.flatMap((frame) => (frame.type === 'event' ? [frame.event] : []))
  }

  get isReady(): boolean {
    return this.frames.some(({ type }) => type === 'ready')
  }
}

/** A session that exists, and its host. No index is there to be told. */
export async function nodeSession() {
  const host = new NodeHost()
  const nowhere = { upsert: async () => {}, bury: async () => {}, forget: async () => {} }
  const session = new Session(host, { tenant: 'default', sessionId }, { agents, index: nowhere })
  const perform = (request: Pick<SessionRequest, 'verb' | 'args'>) => session.perform({ ...who, ...request } as SessionRequest)
  await perform({ verb: 'create', args: { body: {} } })
  const submit = (text: string) => perform({ verb: 'submitTurn', args: { input: [{ type: 'text', text }], whenBusy: 'enqueue' } })
  const attach = async (socket: WireSocket, after: number | null) => {
    host.open.push(socket)
    await session.attach(socket, { ...who, after, subprotocol: null })
  }
  return { host, perform, submit, attach }
}
