/**
 * Everything that a conversation of a model agent needs, as real processes on loopback: a model provider, the owner of some
 * HTTP tools, and the server between them. Its secrets are such that they can be searched for wherever they must not be.
 */
import type { Dialect } from '../upstream/answer.ts'
import { RunningUpstream } from '../upstream/running-upstream.ts'
import { AgentConversation, type Answered, type ConversationOptions } from './agent-conversation.ts'
import { RunningServer } from './running-server.ts'
import { SessionApi } from './session-api.ts'
import { ToolServer } from './tool-server.ts'

const providerKeys = { OPENAI_API_KEY: 'sk-openai-key-of-the-tests', ANTHROPIC_API_KEY: 'sk-ant-key-of-the-tests' }

export class AgentWorld {
  readonly server: RunningServer
  readonly upstream: RunningUpstream
  readonly tools: ToolServer
  readonly api: SessionApi
  readonly conversations: AgentConversation[] = []
  /** Every answer of the API that went through `ask`. */
  readonly answers: string[] = []
  #agents = 0

  private constructor(server: RunningServer, upstream: RunningUpstream, tools: ToolServer) {
    this.server = server
    this.upstream = upstream
    this.tools = tools
    this.api = new SessionApi(server)
    this.secrets = [...Object.values(providerKeys), tools.secret, 'secret-of-the-tests']
  }

  /** `hosts`: private ones that tools may reach besides. */
  static async start(hosts: string[] = []): Promise<AgentWorld> {
    const [upstream, tools] = await Promise.all([RunningUpstream.start(), ToolServer.start()])
    try {
      const variables = {
        ...providerKeys,
        OPENAI_BASE_URL: `${upstream.url}/v1`,
        ANTHROPIC_BASE_URL: `${upstream.url}/v1`,
        DORMOUSE_ALLOW_PRIVATE_HOSTS: [tools.host, ...hosts].join(','),
      }
      return new AgentWorld(await RunningServer.start({ variables }), upstream, tools)
    } catch (error) {
      upstream.stop()
      tools.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    for (const { viewer } of this.conversations) void viewer.leave()
    this.upstream.stop()
    this.tools.stop()
    await this.server.stop()
  }

  /** Secrets that only the server and whom it calls may know. */
  readonly secrets: string[]

  /** What is wrong with any conversation, once all of them are at rest. */
  async faults(): Promise<string[]> {
    return (await Promise.all(this.conversations.map((each) => each.faults()))).flat()
  }

  /** Where a secret can be read that must not be: in events, in answers, in the log of the server. */
  async leaks(): Promise<string[]> {
    const logs = await Promise.all(this.conversations.map(async (each) => JSON.stringify(await each.events())))
    const places = { events: logs.join('\n'), answers: this.answers.join('\n'), log: this.server.logText() }
    const readable = Object.entries(places).flatMap(([place, text]) => this.secrets.map((secret) => [place, secret, text] as const))
    return readable.flatMap(([place, secret, text]) => (text.includes(secret) ? [`${secret} is in the ${place}`] : []))
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answered> {
    const headers = { authorization: `Bearer ${this.server.key}`, 'content-type': 'application/json' }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await fetch(this.server.url + path, init)
    const text = await response.text()
    this.answers.push(text)
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
  }

  /** A new agent; answers its name. */
  async agent(definition: object): Promise<string> {
    const name = `agent-${++this.#agents}`
    const { status, body } = await this.ask('POST', '/v1/agents', { name, ...definition })
    if (status !== 201) throw new Error(`The agent was refused: ${JSON.stringify(body)}`)
    return name
  }

  /** The definition of an HTTP tool of this world, at a path of its owner. */
  tool(name: string, path: string, more: object = {}) {
    return {
      type: 'http',
      name,
      description: `Calls ${path}.`,
      url: this.tools.url + path,
      inputSchema: { type: 'object', properties: { n: { type: 'number' } } },
      secret: this.tools.secret,
      approval: 'never',
      ...more,
    }
  }

  async conversation(dialect: Dialect, options: ConversationOptions = {}): Promise<AgentConversation> {
    const conversation = await AgentConversation.begin(this, dialect, options)
    this.conversations.push(conversation)
    return conversation
  }
}
