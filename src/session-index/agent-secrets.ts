/**
 * The secrets in an agent's definition: HTTP tools' signing secrets and MCP servers' header values. What is stored and shown
 * has `***` in their places; the values themselves are kept apart, sealed all in one box, and put back only for the session
 * side. A value is found by its tool's, or its server's and header's, name.
 */
import * as v from 'valibot'
import { HIDDEN_SECRET, type AgentDefinition, type HttpTool, type McpServer } from '../protocol/agent.ts'
import { refuse, type Result } from '../protocol/errors.ts'
import { encodeBase64, openText, sealText } from './secret-box.ts'

/** Values by their place. A map, for a tool may be called `__proto__`. */
export type Secrets = ReadonlyMap<string, string>

export interface Resolved {
  /** With every secret hidden. */
  definition: AgentDefinition
  secrets: Secrets
  /** Of these, what was made just now: the client has to be told. */
  made: Secrets
}

const SECRET_BYTES = 32

const toolPlace = (tool: string) => `tool/${tool}`
const headerPlace = (server: string, header: string) => `server/${server}/${header}`

/**
 * Takes the secrets out of a definition as a client sent it. `***` stands for the value that is known already, and is
 * refused where there is none; an HTTP tool without a secret gets one. `known` null: the box could not be opened.
 */
export function resolveSecrets(sent: AgentDefinition, known: Secrets | null): Result<Resolved> {
  const secrets = new Map<string, string>()
  const made = new Map<string, string>()
  const missing: string[] = []
  const keep = (place: string, given: string, path: string) => {
    const value = given === HIDDEN_SECRET ? known?.get(place) : given
    if (value === undefined) missing.push(path)
    else secrets.set(place, value)
  }
  for (const [index, tool] of (sent.tools ?? []).entries()) {
    if (typeof tool === 'string') continue
    if (tool.secret === undefined) made.set(toolPlace(tool.name), newSecret())
    else keep(toolPlace(tool.name), tool.secret, `tools.${index}.secret`)
  }
  for (const [index, { name, headers = {} }] of (sent.mcpServers ?? []).entries()) {
    for (const [header, value] of Object.entries(headers)) keep(headerPlace(name, header), value, `mcpServers.${index}.headers.${header}`)
  }
  if (missing.length > 0) return missingSecrets(missing, known === null)
  for (const [place, value] of made) secrets.set(place, value)
  return { ok: true, value: { definition: hidden(sent), secrets, made } }
}

function missingSecrets(paths: string[], isLost: boolean) {
  const message = isLost
    ? 'was sealed with another DORMOUSE_SECRET and cannot be read: send it again'
    : `is ${HIDDEN_SECRET}, and there is none to keep: send the secret`
  return refuse('invalid_request', `${paths[0]}: ${message}`, { issues: paths.slice(0, 20).map((path) => ({ path, message })) })
}

/** Of 256 bits, as Standard Webhooks write it. */
function newSecret(): string {
  return `whsec_${encodeBase64(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))}`
}

function hidden(definition: AgentDefinition): AgentDefinition {
  return mapSecrets(definition, () => HIDDEN_SECRET)
}

/** Shows what was made just now, this once. */
export function withMade(definition: AgentDefinition, made: Secrets): AgentDefinition {
  return mapSecrets(definition, (place, value) => made.get(place) ?? value)
}

/** Of all secrets, those that tools got which were sent without one. */
export function madeOf(sent: AgentDefinition, secrets: Secrets): Secrets {
  const without = (sent.tools ?? []).flatMap((tool) =>
    typeof tool !== 'string' && tool.secret === undefined ? [toolPlace(tool.name)] : [],
  )
  return new Map([...secrets].filter(([place]) => without.includes(place)))
}

/** For the session side: every secret as it is. One that is not known is left out, as if it had never been set. */
export function withSecrets(definition: AgentDefinition, secrets: Secrets): AgentDefinition {
  return mapSecrets(definition, (place) => secrets.get(place))
}

type Replace = (place: string, value: string | undefined) => string | undefined

function mapSecrets(definition: AgentDefinition, replace: Replace): AgentDefinition {
  const { tools, mcpServers, ...rest } = definition
  return {
    ...rest,
    ...(tools && { tools: tools.map((tool) => (typeof tool === 'string' ? tool : mapTool(tool, replace))) }),
    ...(mcpServers && { mcpServers: mcpServers.map((server) => mapServer(server, replace)) }),
  }
}

function mapTool({ secret, ...tool }: HttpTool, replace: Replace): HttpTool {
  const value = replace(toolPlace(tool.name), secret)
  return value === undefined ? tool : { ...tool, secret: value }
}

function mapServer({ headers, ...server }: McpServer, replace: Replace): McpServer {
  if (!headers) return server
  const values = Object.entries(headers).flatMap(([header, value]) => {
    const replaced = replace(headerPlace(server.name, header), value)
    return replaced === undefined ? [] : [[header, replaced] as const]
  })
  return { ...server, headers: Object.fromEntries(values) }
}

const StoredSecretsSchema = v.pipe(v.string(), v.parseJson(), v.array(v.tuple([v.string(), v.string()])))

/** What stands beside the definition; null: nothing is secret in it. */
export async function sealSecrets(masterSecret: string, owner: AgentOwner, secrets: Secrets): Promise<string | null> {
  return secrets.size === 0 ? null : sealText(masterSecret, contextOf(owner), JSON.stringify([...secrets]))
}

/** Null: the box does not open, as when DORMOUSE_SECRET was replaced. */
export async function openSecrets(masterSecret: string, owner: AgentOwner, box: string | null): Promise<Secrets | null> {
  if (box === null) return new Map()
  const text = await openText(masterSecret, contextOf(owner), box)
  return text === null ? null : new Map(v.parse(StoredSecretsSchema, text))
}

export interface AgentOwner {
  tenant: string
  name: string
}

function contextOf({ tenant, name }: AgentOwner): string {
  return JSON.stringify(['agent', tenant, name])
}
