/**
 * A model provider on loopback that answers as it is told: two dialects on one address, with scripts, gates and a record of
 * every request. A model without a script repeats what it was asked; one whose script is over refuses, so that a call too
 * many is seen.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { anthropicMessages } from './anthropic-messages.ts'
import { defaultUsage, MODEL_LIST, says, type Answer, type Dialect, type Script } from './answer.ts'
import { chatCompletions } from './chat-completions.ts'
import { bodyOf, Delivery } from './delivery.ts'
import type { Request, Wire } from './dialect.ts'
import type { RecordedCall } from './recorded-call.ts'

const wires: Record<Dialect, Wire> = { openai: chatCompletions, anthropic: anthropicMessages }

export class UpstreamServer {
  readonly #server: Server
  readonly #answers = new Map<string, Answer[]>()
  readonly #calls: RecordedCall[] = []
  readonly #waiting = new Map<string, (() => void)[]>()
  readonly #released = new Set<string>()

  constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        console.error(error)
        response.destroy()
      })
    })
    // A kept connection that is closed the moment it is used again would be a fault nobody scripted.
    this.#server.keepAliveTimeout = 600_000
  }

  /** Resolves with its address. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', () => {
        // Listening on an address and a port, so that this is no path of a Unix socket.
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
      })
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://upstream')
    const route = `${request.method} ${pathname}`
    if (route === 'POST /script') return this.#script((await bodyOf(request)) as Script, response)
    if (route === 'POST /release') return this.#release((await bodyOf(request)) as { gate: string }, response)
    if (route === 'GET /requests') return this.#tell(searchParams.get('model'), response)
    if (route === 'POST /v1/chat/completions') return await this.#answer('openai', request, response)
    if (route === 'POST /v1/messages') return await this.#answer('anthropic', request, response)
    if (route === 'GET /v1/models') return await this.#list(request, response)
    control(response, 404, { error: `${route} is nothing that this upstream knows` })
  }

  #script({ model, answers }: Script, response: ServerResponse): void {
    this.#answers.set(model, answers)
    control(response, 200, {})
  }

  #release({ gate }: { gate: string }, response: ServerResponse): void {
    this.#released.add(gate)
    for (const goOn of this.#waiting.get(gate) ?? []) goOn()
    this.#waiting.delete(gate)
    control(response, 200, {})
  }

  #tell(model: string | null, response: ServerResponse): void {
    control(response, 200, model === null ? this.#calls : this.#calls.filter((call) => call.model === model))
  }

  async #answer(dialect: Dialect, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wire = wires[dialect]
    const body = await bodyOf(request)
    const read = wire.read(body)
    const call = this.#record(dialect, request, read.model, body)
    const answer = this.#next(read)
    const voice = wire.voice({ body, model: read.model, usage: { ...defaultUsage, ...answer.usage } })
    await this.#delivery(response, call, wire).send(answer, voice, wire.keyOf(request.headers))
  }

  async #list(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const dialect = request.headers['anthropic-version'] === undefined ? 'openai' : 'anthropic'
    const wire = wires[dialect]
    const call = this.#record(dialect, request, '', null)
    const delivery = this.#delivery(response, call, wire)
    const scripted = this.#answers.get(MODEL_LIST)?.shift()
    if (!scripted) return delivery.json(200, wire.models())
    const voice = wire.voice({ body: null, model: '', usage: defaultUsage })
    await delivery.send(scripted, voice, wire.keyOf(request.headers))
  }

  #delivery(response: ServerResponse, call: RecordedCall, wire: Wire): Delivery {
    return new Delivery(response, call, wire, (gate, signal) => this.#pass(gate, signal))
  }

  #next({ model, lastUserText, problem }: Request): Answer {
    if (problem !== null) return { status: 400, message: problem }
    const answers = this.#answers.get(model)
    if (!answers) return { pieces: says('You said: ', lastUserText ?? '') }
    return answers.shift() ?? { status: 400, message: `The script of ${model} is over.` }
  }

  /** A gate that was opened once stays open. */
  #pass(gate: string, signal: AbortSignal): Promise<void> {
    if (this.#released.has(gate)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.set(gate, [...(this.#waiting.get(gate) ?? []), resolve])
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }

  #record(dialect: Dialect, { headers, url }: IncomingMessage, model: string, body: unknown): RecordedCall {
    const { authorization, 'x-api-key': apiKey, ...others } = headers
    const call: RecordedCall = {
      id: this.#calls.length + 1,
      dialect,
      path: url ?? '',
      model,
      body,
      headers: Object.fromEntries(Object.entries(others).map(([name, value]) => [name, String(value)])),
      hasKey: (authorization ?? apiKey) !== undefined,
      beganAt: Date.now(),
      endedAt: null,
      end: null,
      holdingAt: null,
      status: null,
      bytesSent: 0,
    }
    this.#calls.push(call)
    return call
  }
}

function control(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
