/**
 * Bugs planted by hand, to see that the simulation finds them: what cannot fail is no test. Each spoils one promise at a
 * seam around the session, as the same bug inside it would.
 */
import type { Agent, AgentChoice, AgentEvent, AgentRegistry, StepRequest } from '../../src/agents/agent.ts'
import type { ToolSet } from '../../src/agents/tools/tool.ts'
import { Session } from '../../src/session/session.ts'
import type { MakeSession, Plant } from './world.ts'

/** Replies and frames leave before what they tell of is durable. */
export function ackBeforeCommit(): Plant {
  return {
    spoil: ({ object }) => {
      object.ungated = true
    },
  }
}

/** What an agent says after it was cut comes out of whoever speaks next. */
export function noFencing(): Plant {
  const leaked: AgentEvent[] = []
  const makeSession: MakeSession = (host, address, dependencies) => {
    const { agents } = dependencies
    const leaky = disguised(agents, (agent) => ({ step: (request) => stepWithLeak(agent, request, leaked) }))
    return new Session(host, address, { ...dependencies, agents: leaky })
  }
  return { makeSession }
}

/** Every tool is taken for one that may run twice, so that a crash runs it twice. */
export function everythingIdempotent(): Plant {
  const makeSession: MakeSession = (host, address, dependencies) => {
    const twice = (tools: ToolSet): ToolSet => new Map([...tools].map(([name, tool]) => [name, { ...tool, idempotent: true }]))
    const agents = disguised(dependencies.agents, (agent) => ({ tools: async () => twice(await agent.tools()) }))
    return new Session(host, address, { ...dependencies, agents })
  }
  return { makeSession }
}

/** Tools run without asking anybody. */
export function nobodyIsAsked(): Plant {
  const makeSession: MakeSession = (host, address, dependencies) => {
    const unasked = (tools: ToolSet): ToolSet => new Map([...tools].map(([name, tool]) => [name, { ...tool, approval: 'never' }]))
    const agents = disguised(dependencies.agents, (agent) => ({ tools: async () => unasked(await agent.tools()) }))
    return new Session(host, address, { ...dependencies, agents })
  }
  return { makeSession }
}

/** A client is replayed the last event that it has already. */
export function replayOffByOne(): Plant {
  const makeSession: MakeSession = (host, address, dependencies) => {
    const session = new Session(host, address, dependencies)
    return {
      perform: (request) => session.perform(request),
      attach: (socket, request) => session.attach(socket, { ...request, after: request.after && request.after - 1 }),
      onFrame: (socket, frame) => session.onFrame(socket, frame),
      onClose: (socket) => session.onClose(socket),
      onAlarm: () => session.onAlarm(),
    }
  }
  return { makeSession }
}

export const plantedBugs = { ackBeforeCommit, noFencing, replayOffByOne, everythingIdempotent, nobodyIsAsked }

/** The same agents, but for some of what they do. */
function disguised(agents: AgentRegistry, change: (agent: Agent) => Partial<Agent>): AgentRegistry {
  const disguise = (agent: Agent): Agent => ({
    name: agent.name,
    version: agent.version,
    description: agent.description,
    window: agent.window,
    recovery: agent.recovery,
    policies: agent.policies,
    budgets: agent.budgets,
    approvalExpiresInSeconds: agent.approvalExpiresInSeconds,
    timeouts: agent.timeouts,
    tools: () => agent.tools(),
    step: (request) => agent.step(request),
    ...change(agent),
  })
  const resolve = async (name: string, choice: AgentChoice): Promise<Agent | null> => {
    const agent = await agents.resolve(name, choice)
    return agent && disguise(agent)
  }
  return { ...agents, resolve }
}

/** Listens to the agent for as long as it talks, whether or not anybody still wants to hear it. */
async function* stepWithLeak(agent: Agent, request: StepRequest, leaked: AgentEvent[]): AsyncGenerator<AgentEvent> {
  const heard: AgentEvent[] = []
  let wake = (): void => {}
  const outcomes: ({ error: unknown } | 'done')[] = []
  const listen = async (): Promise<void> => {
    for await (const event of agent.step(request)) {
      if (!request.signal.aborted) heard.push(event)
      else if (event.type !== 'finish') leaked.push(event)
      wake()
    }
  }
  const end = (result: { error: unknown } | 'done'): void => {
    outcomes.push(result)
    wake()
  }
  listen().then(
    () => end('done'),
    (error: unknown) => end({ error }),
  )
  for (;;) {
    const event = leaked.shift() ?? heard.shift()
    const [outcome] = outcomes
    if (event) yield event
    else if (outcome === 'done') return
    else if (outcome) throw outcome.error
    else await new Promise<void>((resolve) => (wake = resolve))
  }
}
