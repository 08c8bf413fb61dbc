/** What the edge cannot know by itself, since agents and models are none of its folders: the worker puts it in. */
import type { AgentDefinition, AgentView } from '../protocol/agent.ts'
import type { ModelList } from '../protocol/model.ts'

/** A field of a definition that cannot be used here, by its path, and why. */
export interface DefinitionProblem {
  path: string
  message: string
}

export interface Wiring {
  /** The default first. */
  builtInAgents: (env: Env) => AgentView[]
  /** Names that no tenant can give, whether or not the agents that have them are there. */
  reservedNames: readonly string[]
  models: (env: Env, keepAlive: (work: Promise<unknown>) => void) => Promise<ModelList>
  /** Tokens that a model (null: the default) takes; `defined` where a definition says so. */
  windowOf: (env: Env) => (model: string | null, defined: number | undefined) => number
  /** Ids of the providers that models can be of. */
  providers: readonly string[]
  /** What is wrong with a definition that its schema lets pass. */
  definitionProblems: (env: Env) => (definition: AgentDefinition) => Promise<DefinitionProblem[]>
}
