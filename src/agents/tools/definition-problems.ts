/** What the fields of an agent's definition cannot say by themselves: whether its tools exist, and could be called. */
import type { AgentDefinition } from '../../protocol/agent.ts'
import { literalGuardOf, type AddressGuard } from './address-guard.ts'
import { builtInNames } from './built-in-names.ts'
import type { ToolEnvironment } from './tool-environment.ts'

export interface DefinitionProblem {
  /** Into the definition, like `tools.0.inputSchema`. */
  path: string
  /** Words to follow the path. */
  message: string
}

/** Also an update, which may leave lists out or set them back. */
export interface DefinedTools {
  tools?: AgentDefinition['tools'] | null
  mcpServers?: AgentDefinition['mcpServers'] | null
}

export function definitionProblems(environment: ToolEnvironment): (definition: DefinedTools) => Promise<DefinitionProblem[]> {
  const guard = literalGuardOf(environment)
  return async ({ tools, mcpServers }) => {
    const ofTools = (tools ?? []).map((tool, index) => toolProblems(tool, `tools.${index}`, guard))
    const ofServers = (mcpServers ?? []).map(({ url }, index) => addressProblems(url, `mcpServers.${index}.url`, guard))
    return (await Promise.all([...ofTools, ...ofServers])).flat()
  }
}

type DefinedTool = NonNullable<AgentDefinition['tools']>[number]

const isBuiltIn = (name: string) => builtInNames.some((known) => known === name)

async function toolProblems(tool: DefinedTool, path: string, guard: AddressGuard): Promise<DefinitionProblem[]> {
  if (typeof tool === 'string') {
    return isBuiltIn(tool) ? [] : [{ path, message: `is not a tool of this server, which has ${builtInNames.join(', ')}` }]
  }
  const clash = isBuiltIn(tool.name) ? [{ path: `${path}.name`, message: 'is the name of a tool that comes with the server' }] : []
  const { schemaProblem } = await import('./json-schema.ts')
  const schema = schemaProblem(tool.inputSchema)
  const ofSchema = schema === null ? [] : [{ path: `${path}.inputSchema`, message: schema }]
  return [...clash, ...ofSchema, ...(await addressProblems(tool.url, `${path}.url`, guard))]
}

async function addressProblems(url: string, path: string, guard: AddressGuard): Promise<DefinitionProblem[]> {
  if (!URL.canParse(url)) return [{ path, message: 'must be a valid URL' }]
  const refusal = await guard.refusalOf(new URL(url))
  return refusal === null ? [] : [{ path, message: `cannot be called. ${refusal}` }]
}
