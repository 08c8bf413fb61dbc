/**
 * The tools that an MCP server says it has, looked at one by one: what cannot be offered is left out and logged, and the rest
 * is kept as plain values. A server's list is bounded in number and in size, for it is held in memory and told to models.
 */
import * as v from 'valibot'
import type { McpServer } from '../../protocol/agent.ts'
import { jsonBytes, limits } from '../../protocol/limits.ts'
import { schemaProblem } from './json-schema.ts'
import type { JsonSchema } from './tool.ts'

export interface McpToolDescriptor {
  /** Its own, at the server. */
  name: string
  description: string
  inputSchema: JsonSchema
  idempotent: boolean
}

export interface McpToolList {
  tools: McpToolDescriptor[]
  /** The server speaks a version of the protocol that begins with a handshake. */
  hasSessions: boolean
}

const maxNameCharacters = 128
const maxDescriptionCharacters = 1024
const maxListBytes = 512 * 1024
/** Lines of the log that one reading may cost. */
const maxRefusalsTold = 16

/** One structured line; the same one is written once. */
export type McpLog = (entry: { event: string; server: string; [field: string]: unknown }) => void

const ToolSchema = v.object({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(maxNameCharacters)),
  description: v.nullish(v.string(), ''),
  inputSchema: v.record(v.string(), v.unknown()),
  annotations: v.nullish(v.object({ readOnlyHint: v.nullish(v.boolean()), idempotentHint: v.nullish(v.boolean()) })),
})
const PageSchema = v.looseObject({ result: v.looseObject({ tools: v.array(v.unknown()) }) })

export class ListedTools {
  readonly #server: McpServer
  readonly #log: McpLog
  readonly #tools = new Map<string, McpToolDescriptor>()
  #bytes = 0
  #leftOut = 0
  #refusals = 0

  constructor(server: McpServer, log: McpLog) {
    this.#server = server
    this.#log = log
  }

  /** Whether nothing that another page may hold could be offered. */
  get isComplete(): boolean {
    const { tools } = this.#server
    return this.#tools.size >= limits.mcpTools || (tools !== undefined && tools.every((name) => this.#tools.has(name)))
  }

  /** Keeps the tools of a page; answers the message without them, as the client may see it, or null: it is no page. */
  take(message: unknown): unknown {
    const page = v.safeParse(PageSchema, message)
    if (!page.success) return null
    const { result, ...rest } = page.output
    for (const tool of result.tools) this.#add(tool)
    // The client would refuse the whole list for one bad tool, and check each of ten thousand.
    return { ...rest, result: { ...result, tools: [], nextCursor: result.nextCursor ?? undefined } }
  }

  result(hasSessions: boolean): McpToolList {
    if (this.#leftOut > 0) this.#log({ event: 'mcp.tools_left_out', server: this.#server.name, count: this.#leftOut })
    return { tools: [...this.#tools.values()], hasSessions }
  }

  #add(raw: unknown): void {
    if (this.#tools.size >= limits.mcpTools) return void this.#leftOut++
    const parsed = v.safeParse(ToolSchema, raw)
    if (!parsed.success) return this.#refuse(nameIn(raw), 'its description is not as the protocol says')
    const { name, description, inputSchema, annotations } = parsed.output
    if (this.#server.tools?.includes(name) === false) return
    const schema = { type: 'object', ...inputSchema }
    const problem = this.#problemOf(name, schema)
    if (problem !== null) return this.#refuse(name, problem)
    this.#tools.set(name, {
      name,
      description: description.slice(0, maxDescriptionCharacters).toWellFormed(),
      inputSchema: schema,
      idempotent: annotations?.idempotentHint === true || annotations?.readOnlyHint === true,
    })
  }

  #problemOf(name: string, schema: JsonSchema): string | null {
    if (this.#tools.has(name)) return 'there are two of that name'
    const problem = schemaProblem(schema)
    if (problem !== null) return `its input schema ${problem}`
    const bytes = jsonBytes(schema)
    if (this.#bytes + bytes > maxListBytes) return `the schemas of the server are larger than ${maxListBytes} bytes`
    this.#bytes += bytes
    return null
  }

  /** Names and reasons are the server's words: short ones. */
  #refuse(tool: string, reason: string): void {
    if (++this.#refusals > maxRefusalsTold) return void this.#leftOut++
    this.#log({ event: 'mcp.tool_refused', server: this.#server.name, tool, reason: reason.slice(0, 200) })
  }
}

function nameIn(raw: unknown): string {
  const { name } = typeof raw === 'object' && raw !== null && 'name' in raw ? raw : { name: '' }
  return typeof name === 'string' ? name.slice(0, maxNameCharacters) : ''
}
