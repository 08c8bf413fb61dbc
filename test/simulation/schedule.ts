/**
 * One schedule: a session, whoever talks to it, and all that goes wrong, drawn from a seed. Between any two tasks of the
 * clock something may happen: a client comes, goes or sends, the object crashes or is evicted, the index fails. At the
 * end everything heals, comes to rest, and is judged.
 */
import { drawCommand } from './commands.ts'
import type { Violation } from './history.ts'
import { judgeAtRest } from './rest.ts'
import type { SimulatedClient } from './simulated-client.ts'
import { World, type Plant } from './world.ts'

export interface ScheduleReport {
  seed: number
  violation: Violation | null
  /** What happened, oldest first. */
  lines: string[]
  tasks: number
  events: number
  restarts: number
}

export async function runSchedule(seed: number, plant?: Plant): Promise<ScheduleReport> {
  const world = new World(seed, plant)
  const { history, clock } = world
  try {
    await new Schedule(world).run()
    if (!history.violation) await judgeAtRest(world)
  } catch (error) {
    world.object.threw('simulation', error)
  } finally {
    world.close()
  }
  const { violation, lines, restarts } = history
  return { seed, violation, lines, tasks: clock.tasksRun, events: history.events.size, restarts }
}

class Schedule {
  readonly #world: World
  readonly #actions: readonly (readonly [number, () => void])[]

  constructor(world: World) {
    this.#world = world
    this.#actions = this.#drawActions()
  }

  /** Every await of the session ends in a task of the clock, so that what happens between two tasks happens at an await. */
  async run(): Promise<void> {
    const { random, history, clock } = this.#world
    this.#create()
    if (random.chance(0.3)) this.#worsenIndex()
    if (random.chance(0.03)) await this.#makeOld()
    for (let left = random.chance(0.02) ? 250 : random.between(10, 60); left > 0 && !history.violation; left--) {
      random.weighted(this.#actions)()
      const tasks = random.weighted([
        [4, random.between(0, 3)],
        [4, random.between(4, 12)],
        [1, random.between(13, 60)],
      ])
      for (let i = 0; i < tasks && !history.violation; i++) {
        if (!(await clock.step())) break
      }
    }
  }

  /** How likely each thing is in this schedule: some are calm, some are nothing but trouble. */
  #drawActions(): readonly (readonly [number, () => void])[] {
    const { random, object } = this.#world
    const trouble = random.pick([0, 0.3, 1, 4])
    object.danger = trouble === 0 ? 0 : random.pick([0, 0.05, 0.3])
    return [
      [10, () => this.#command()],
      [2, () => this.#world.caller.read()],
      [3, () => this.#arrive()],
      [1, () => this.#withClient((client) => client.leave())],
      [1, () => this.#withClient((client) => client.loseLine())],
      [1, () => this.#withClient((client) => client.stopReading())],
      [1, () => this.#withClient((client) => client.readOn())],
      [1, () => this.#withClient((client) => client.repeat())],
      [0.5, () => this.#withClient((client) => client.babble())],
      [0.5, () => this.#reuseKey()],
      [0.3, () => this.#flood()],
      [0.1, () => this.#revoke()],
      [0.3, () => this.#redefine()],
      [trouble, () => this.#fell('crash', () => object.crash())],
      [trouble * random.fraction(), () => this.#fell('eviction', () => object.evict())],
      [trouble * 0.1, () => this.#crashLoop()],
      [0.7, () => this.#worsenIndex()],
      [4, () => {}],
    ]
  }

  #create(): void {
    const { caller, random } = this.#world
    const body = { agent: random.pick(['resumer', 'quitter']), title: 'a simulation', instructions: 'Be brief.' }
    caller.ask({ verb: 'create', ...caller.envelope('create'), args: { body } }, (answer) => {
      if (!answer.ok) this.#world.history.violate('LOG2', `the session was not created: ${JSON.stringify(answer.error)}`)
      else caller.sawSession(answer)
    })
  }

  /** A history longer than one page of a replay, for little. */
  async #makeOld(): Promise<void> {
    const { caller, clock, history } = this.#world
    for (let i = 0; i < 90 && !history.violation; i++) {
      await clock.step()
      if (history.sessions.size > 0)
        caller.ask({ verb: 'update', ...caller.envelope(`old${i}`), args: { patch: { tags: [`old${i}`] }, ifMatch: null } }, () => {})
    }
  }

  #command(): void {
    const { random, history, caller, clients } = this.#world
    // Nothing is asked of a session that nobody knows to exist.
    if (history.sessions.size === 0) return
    const client = random.chance(0.6) && clients.length > 0 ? random.pick(clients) : null
    const command = drawCommand(random, history, client?.principal ?? caller.principal)
    if (client) client.command(command)
    else caller.command(command)
  }

  /** More at once than a queue may hold. */
  #flood(): void {
    for (let i = 0; i < 24; i++) this.#command()
  }

  #revoke(): void {
    const { caller, history, clock } = this.#world
    if (history.sessions.size === 0) return
    caller.ask({ verb: 'revokeTokens', ...caller.envelope(`revoke${clock.now}`), args: {} }, () => {
      caller.ask({ verb: 'tokenEpoch', ...caller.envelope(), args: {} }, (answer) => {
        if (answer.ok) this.#world.tokenEpoch = Math.max(this.#world.tokenEpoch, answer.value.epoch)
      })
    })
  }

  /** The agents' definitions change; a turn keeps to the version that it began with. */
  #redefine(): void {
    this.#world.agentVersion += 1
    this.#world.history.note(`the agents are redefined: version ${this.#world.agentVersion}`)
  }

  #reuseKey(): void {
    const { random, history, caller } = this.#world
    const accepted = [...history.commands.values()].filter(
      ({ verb, answers }) => (verb === 'submitTurn' || verb === 'update') && answers.some((answer) => answer.ok),
    )
    if (accepted.length > 0) caller.reuseKey(random.pick(accepted))
  }

  #arrive(): void {
    const { random, clients, history } = this.#world
    if (history.sessions.size === 0) return
    const isNew = clients.length === 0 || (clients.length < 4 && random.chance(0.4))
    if (isNew) this.#world.newClient().connect(random.pick([0, null]))
    else random.pick(clients).connect()
  }

  #withClient(act: (client: SimulatedClient) => void): void {
    const { random, clients } = this.#world
    if (clients.length > 0) act(random.pick(clients))
  }

  #fell(what: string, act: () => void): void {
    this.#world.history.note(what)
    act()
  }

  /** A machine that dies again and again, each time before anybody gets far. */
  #crashLoop(): void {
    const { random, clock, object, patience } = this.#world
    const everyMs = random.pick([20, 200, 1000, 35_000])
    patience.stuckUntil = clock.now + 7 * everyMs
    for (let i = 1; i <= 6; i++) clock.after(i * everyMs, () => this.#fell('crash again', () => object.crash()))
  }

  #worsenIndex(): void {
    const { random, index, history } = this.#world
    index.health = random.pick(['well', 'well', 'slow', 'fails', 'hangs', 'forgets to answer'])
    history.note(`the index ${index.health}`)
  }
}
