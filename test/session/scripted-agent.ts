/**
 * Agents that a test writes: what each step says, which tools there are, and what budgets. Objects run in the isolate of their
 * tests, so that a script is known to an object that was evicted and made anew, as code is.
 */
import { agentDefaults, type Agent, type AgentEvent, type AgentRegistry, type StepRequest } from '../../src/agents/agent.ts'
import { toolDefaults, toolSet, type Tool } from '../../src/agents/tools/tool.ts'
import type { Message, ToolResultPart } from '../../src/protocol/message.ts'

export type Words = Iterable<AgentEvent> | AsyncIterable<AgentEvent>

export interface Script extends Partial<Omit<Agent, 'tools' | 'name' | 'step'>> {
  tools?: readonly Tool[]
  /** What each step of a turn says; beyond the last one it says `done` and stops. */
  steps: readonly ((request: StepRequest) => Words)[]
}

const scripts = new Map<string, Agent>()

/** Answers the name of an agent that follows the script. */
export function scriptedAgent({ tools = [], steps, ...traits }: Script): string {
  const name = `scripted-${scripts.size + 1}`
  const step = async function* (request: StepRequest) {
    yield* steps[request.step - 1]?.(request) ?? says('done')
  }
  const set = toolSet(tools)
  scripts.set(name, {
    ...agentDefaults,
    name,
    version: null,
    description: 'Follows a script.',
    window: 32_000,
    ...traits,
    tools: async () => set,
    step,
  })
  return name
}

/** The server's agents and the scripted ones. */
export function withScripts(server: AgentRegistry): AgentRegistry {
  return {
    defaultName: server.defaultName,
    resolve: async (name, choice) => scripts.get(name) ?? (await server.resolve(name, choice)),
    peek: (name, model) => scripts.get(name) ?? server.peek(name, model),
  }
}

const usage = { inputTokens: 10, outputTokens: 5, cachedTokens: 2, reasoningTokens: 1 }

export function says(text: string): AgentEvent[] {
  return [
    { type: 'text', text },
    { type: 'finish', finishReason: 'stop', usage, model: 'scripted/one' },
  ]
}

/** A step that calls these tools side by side. */
export function calls(...made: [toolName: string, input: unknown][]): AgentEvent[] {
  const events = made.map(([toolName, input], index): AgentEvent => ({ type: 'tool-call', call: `${index}`, toolName, input }))
  return [...events, { type: 'finish', finishReason: 'tool-calls', usage, model: 'scripted/one' }]
}

/** Tells what came of the tools of the turn: the words of a last step. */
export function tellsResults({ context, turnId }: StepRequest): AgentEvent[] {
  const results = resultsIn(context.filter((message) => message.turnId === turnId))
  return says(results.map(({ toolName, output, isError }) => `${toolName}${isError ? ' failed' : ''}: ${textOfOutput(output)}`).join('\n'))
}

const textOfOutput = (output: unknown) => (typeof output === 'string' ? output : JSON.stringify(output))

export function resultsIn(messages: readonly Message[]): ToolResultPart[] {
  return messages.flatMap(({ parts }) => parts).filter((part) => part.type === 'tool-result')
}

/** A tool that runs without asking and answers its input, unless `made` says otherwise. */
export function tool(name: string, made: Partial<Tool> = {}): Tool {
  return {
    ...toolDefaults,
    name,
    description: 'A tool of a test.',
    inputSchema: { type: 'object' },
    approval: 'never',
    idempotent: true,
    problemOf: () => null,
    run: async (input) => ({ output: input }),
    ...made,
  }
}

/** Something that a test lets happen when it wants it. */
export class Gate {
  readonly opened: Promise<void>
  isOpen = false
  #resolve: () => void = () => {}

  constructor() {
    this.opened = new Promise((resolve) => (this.#resolve = resolve))
  }

  open(): void {
    this.isOpen = true
    this.#resolve()
  }
}
