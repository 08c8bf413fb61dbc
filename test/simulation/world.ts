/** Everything of one schedule, wired: one object with the session under test in it, its agents and index, and who talks to it. */
import { AgentError, type AgentRegistry } from '../../src/agents/agent.ts'
import type { Principal } from '../../src/protocol/access.ts'
import type { Host } from '../../src/session/host.ts'
import { Session, type SessionDependencies } from '../../src/session/session.ts'
import { History } from './history.ts'
import type { Rules } from './log-model.ts'
import { Random } from './random.ts'
import { SimulatedAgent, type Patience } from './simulated-agent.ts'
import { SimulatedCaller } from './simulated-caller.ts'
import { SimulatedClient } from './simulated-client.ts'
import { SimulatedIndex } from './simulated-index.ts'
import type { Weather } from './simulated-network.ts'
import { SimulatedObject, type SessionUnderTest } from './simulated-object.ts'
import { VirtualClock } from './virtual-clock.ts'

export type Address = { tenant: string; sessionId: string }
export type MakeSession = (host: Host, address: Address, dependencies: SessionDependencies) => SessionUnderTest

/** A bug planted by hand, to see that it is found: it may wrap the session or spoil the world around it. */
export interface Plant {
  makeSession?: MakeSession
  spoil?: (world: World) => void
}

const owner: Principal = { kind: 'key', id: 'key_00000000000000000000000001', tenant: 'default', scope: 'member' }

export class World {
  readonly random: Random
  readonly clock: VirtualClock
  readonly history = new History()
  readonly object: SimulatedObject
  readonly index: SimulatedIndex
  readonly caller: SimulatedCaller
  readonly clients: SimulatedClient[] = []
  readonly patience: Patience = { isOver: false, stuckUntil: 0 }
  readonly address: Address
  /** What a session token made now must carry: those made before are no longer good. */
  tokenEpoch = 0
  /** Of the agents' definitions, which somebody may change. */
  agentVersion = 1
  readonly rules: Rules
  readonly #weather: Weather

  constructor(seed: number, plant: Plant = {}) {
    this.random = new Random(seed)
    this.clock = new VirtualClock(this.random)
    this.address = { tenant: 'default', sessionId: `ses_${this.random.text(26)}` }
    const makeSession = plant.makeSession ?? ((host, address, dependencies) => new Session(host, address, dependencies))
    this.object = new SimulatedObject(this.clock, this.random, this.history, (host) => makeSession(host, this.address, this.#dependencies))
    this.index = new SimulatedIndex(this.object)
    this.caller = new SimulatedCaller(owner, this.address, this.object)
    // A byte that counts for 1,500 makes a slow reader out of a few frames; real megabytes would only cost time.
    this.#weather = {
      latencyMs: this.random.pick([2, 20, 300]),
      byteWeight: this.random.weighted([
        [3, 1],
        [1, 1500],
      ]),
    }
    this.object.confirmMs = this.random.pick([0, 5, 40, 400])
    this.rules = this.#drawRules()
    this.#agents = this.#makeAgents()
    plant.spoil?.(this)
  }

  readonly #agents: AgentRegistry

  newClient(): SimulatedClient {
    const name = `client${this.clients.length + 1}`
    const client = new SimulatedClient(name, this.#drawPrincipal(name), this.address, this.object, this.#weather)
    this.clients.push(client)
    return client
  }

  close(): void {
    this.object.storage.close()
  }

  get #dependencies(): SessionDependencies {
    return { agents: this.#agents, index: this.index }
  }

  #drawRules(): Rules {
    const approvalExpiresInMs = this.random.pick([5000, 60_000, 3_600_000])
    const budgets = this.random.weighted<Rules['budgets']>([
      [8, { steps: 32, seconds: 1800 }],
      [1, { steps: 3 }],
      [1, { tokens: 12 }],
      [1, { seconds: 20 }],
    ])
    return { approvalExpiresInMs, budgets }
  }

  #makeAgents(): AgentRegistry {
    const agentOf = (name: string, version: string) =>
      name === 'resumer' || name === 'quitter' ? new SimulatedAgent(name, version, this.rules, this.object, this.patience) : null
    return {
      defaultName: 'resumer',
      peek: (name) => agentOf(name, `${this.agentVersion}`),
      resolve: async (name, { version }) => {
        await this.#lookUp(version !== null)
        return agentOf(name, version ?? `${this.agentVersion}`)
      },
    }
  }

  /** Takes its time, and fails now and then where somebody waits who knows what to do. */
  async #lookUp(mayFail: boolean): Promise<void> {
    const { random, object, history, patience } = this
    if (random.chance(0.1)) await object.host.wait(random.between(1, 60))
    if (!mayFail || patience.isOver || !random.chance(0.02)) return
    history.agentsAway += 1
    throw new AgentError('The definitions cannot be read.', { code: 'agent_unavailable', retryAfterMs: random.pick([null, 1000]) })
  }

  #drawPrincipal(name: string): Principal {
    const access = this.random.weighted([
      [5, null],
      [3, 'write'],
      [1, 'read'],
      [1, 'approve'],
    ] as const)
    if (access === null) return owner
    // Some end while the schedule runs. The others end far beyond it, yet an alarm is due for them, which must not hide nearer ones.
    const lifeMs = this.random.chance(0.2) ? this.random.between(100, 60_000) : 1e9
    return { kind: 'token', id: name, ...this.address, access, epoch: this.tokenEpoch, expiresAt: this.object.now() + lifeMs }
  }
}
