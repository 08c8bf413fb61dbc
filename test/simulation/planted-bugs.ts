/**
 * Bugs planted by hand, to see that the simulation finds them: what cannot fail is no test. Each spoils one promise at a
 * seam around the session, as the same bug inside it would.
 */
import type { Agent, AgentEvent, StepRequest } from '../../src/agents/agent.ts'
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
    const leaky = (agent: Agent): Agent => ({
      name: agent.name,
      description: agent.description,
      window: agent.window,
      recovery: agent.recovery,
      step: (request) => stepWithLeak(agent, request, leaked),
    })
    const get = (name: string): Agent | null => {
      const agent = agents.get(name)
      return agent && leaky(agent)
    }
    return new Session(host, address, { ...dependencies, agents: { ...agents, get } })
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

export const plantedBugs = { ackBeforeCommit, noFencing, replayOffByOne }

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
