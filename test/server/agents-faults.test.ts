/** Whatever a model provider does wrong: the turn ends as it should, the log stays exact, and the next turn works. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { calls, dialects, says, toolCalls, type Answer, type Dialect, type Piece } from '../upstream/answer.ts'
import type { TurnTold } from './agent-conversation.ts'
import { AgentWorld } from './agent-world.ts'

let world: AgentWorld

beforeAll(async () => {
  world = await AgentWorld.start()
}, 120_000)

afterAll(() => world?.stop())

const answered = ['assistant (stop): text', 'turn.completed stop']
const fine: Answer = { pieces: says('Fine.') }
/** What was sent just before a reset is lost with it, unless it had time to arrive. */
const heardThenReset: Piece[] = [{ type: 'pause', ms: 100 }, { type: 'reset' }]
/** Calls of one step before it fails. */
const maxTries = 4

/** The same on each dialect, side by side: most of this is waiting, and a provider's circuit is its own. */
async function onEach(scenario: (dialect: Dialect) => Promise<void>): Promise<void> {
  await Promise.all(dialects.map(scenario))
}

interface Outcome {
  told: TurnTold
  /** Calls that the upstream saw in the turn. */
  tries: number
  /** Milliseconds between its first two calls. */
  waitedMs: number
}

/** A turn with these answers, and another one behind it that must work. */
async function suffer(dialect: Dialect, answers: Answer[], agent: object = {}): Promise<Outcome> {
  const talk = await world.conversation(dialect, { agent })
  const told = await talk.turn('Hello', ...answers)
  const made = await talk.calls()
  const next = await talk.turn('Are you well?', fine)
  expect([next.story, next.text]).toEqual([answered, 'Fine.'])
  return { told, tries: made.length, waitedMs: (made[1]?.beganAt ?? 0) - (made[0]?.endedAt ?? 0) }
}

test('[AGT3] a provider that asks for patience gets it', () =>
  onEach(async (dialect) => {
    const { told, tries, waitedMs } = await suffer(dialect, [{ status: 429, headers: { 'retry-after': '2' } }, fine])
    expect([told.story, told.text, tries]).toEqual([answered, 'Fine.', 2])
    expect(waitedMs).toBeGreaterThan(1950)
  }))

test('[AGT3] a failure before any word is tried again, unseen', () =>
  onEach(async (dialect) => {
    const failures: Answer[] = [{ status: 500 }, { status: 529 }, { pieces: [{ type: 'reset' }] }]
    const { told, tries } = await suffer(dialect, [...failures, fine])
    expect([told.story, told.text, tries]).toEqual([answered, 'Fine.', 4])
  }))

test('[AGT3] a provider that only fails fails the turn, after so many tries', () =>
  onEach(async (dialect) => {
    const { told, tries } = await suffer(
      dialect,
      Array.from({ length: 9 }, () => ({ status: 503, message: 'Out for lunch, {key}.' })),
    )
    expect(told.story).toEqual(['turn.failed agent_unavailable'])
    expect(told.turn.error).toMatchObject({ retryable: true })
    expect(tries).toBe(maxTries)
  }))

test('[SEC4] a refused key fails the turn at once, and is not told', () =>
  onEach(async (dialect) => {
    const { told, tries } = await suffer(dialect, [{ status: 401, message: 'Incorrect API key provided: {key}.' }])
    expect(told.story).toEqual([expect.stringMatching(/^turn\.failed /)])
    expect(told.turn.error?.message).not.toMatch(/sk-/)
    expect(tries).toBe(1)
  }))

test('[AGT3] a request that the provider refuses is not repeated', () =>
  onEach(async (dialect) => {
    const { told, tries } = await suffer(dialect, [{ status: 400, message: 'Nonsense from {key}.' }])
    expect(told.story).toEqual([expect.stringMatching(/^turn\.failed /)])
    expect(tries).toBe(1)
  }))

test('[AGT3] a connection that breaks behind the headers is tried again', () =>
  onEach(async (dialect) => {
    const { told, tries } = await suffer(dialect, [{ pieces: [{ type: 'open' }, ...heardThenReset] }, fine])
    expect([told.story, told.text, tries]).toEqual([answered, 'Fine.', 2])
  }))

test.each([
  ['breaks', heardThenReset],
  ['ends', [{ type: 'end' }]],
  ['is garbage', [{ type: 'garbage', text: 'data: {"choices": oh no\n\n' }, ...says('more')]],
  ['says that it failed', [{ type: 'failure', status: 529, message: 'Overloaded by {key}' }]],
] satisfies [string, Piece[]][])('[AGT3] an answer that %s in mid-stream is begun anew under another id', (_what, pieces) =>
  onEach(async (dialect) => {
    const { told, tries } = await suffer(dialect, [{ pieces: [...says('Once upon ', 'a time '), ...pieces] }, { pieces: says('Anew.') }])
    expect([told.story, told.text, tries]).toEqual([['turn.resumed retry anew', ...answered], 'Anew.', 2])
    const [resumed] = told.of('turn.resumed')
    expect(resumed?.supersedes).toMatch(/^msg_/)
    expect(told.messages.map(({ id }) => id)).not.toContain(resumed?.supersedes)
  }),
)

test('[AGT3] an answer that breaks again and again fails the turn, and keeps nothing twice', () =>
  onEach(async (dialect) => {
    const broken = { pieces: [...says('Once upon '), ...heardThenReset] }
    const { told, tries } = await suffer(
      dialect,
      Array.from({ length: 9 }, () => broken),
    )
    expect(told.story.at(-1)).toBe('turn.failed agent_unavailable')
    expect(told.story.filter((line) => line === 'turn.resumed retry anew').length).toBe(tries - 1)
    expect(tries).toBeLessThanOrEqual(maxTries)
  }))

test('[AGT3] a provider that falls silent, or speaks for ever, is left', () =>
  onEach(async (dialect) => {
    const agent = { timeouts: { stallSeconds: 1, stepSeconds: 2 } }
    const silent: Answer = { pieces: [...says('Let me see'), { type: 'hold', gate: 'never' }] }
    const endless: Answer = { pieces: Array.from({ length: 20 }, (): Piece[] => [...says('and '), { type: 'pause', ms: 200 }]).flat() }
    const { told, tries } = await suffer(dialect, [silent, endless, fine], agent)
    expect([told.story, told.text, tries]).toEqual([['turn.resumed retry anew', 'turn.resumed retry anew', ...answered], 'Fine.', 3])
  }))

test('[AGT3] an empty answer ends its turn, and an unknown end is an end', () =>
  onEach(async (dialect) => {
    const empty = await suffer(dialect, [{}])
    expect([empty.told.turn.status, empty.told.text, empty.tries]).toEqual(['completed', '', 1])
    const other = await suffer(dialect, [{ pieces: says('Well.'), finishReason: 'bored' }])
    expect(other.told.story).toEqual(['assistant (other): text', 'turn.completed other'])
    const long = await suffer(dialect, [{ pieces: says('Well, '), finishReason: 'length' }])
    expect(long.told.story).toEqual(['assistant (length): text', 'turn.completed length'])
    const filtered = await suffer(dialect, [{ pieces: says('I '), finishReason: 'content-filter' }])
    expect(filtered.told.story).toEqual(['assistant (content-filter): text', 'turn.completed content-filter'])
  }))

test('[TOOL3] a call that cannot be run is told to the model, and nothing runs', () =>
  onEach(async (dialect) => {
    const agent = {
      tools: [world.tool('echo', '/echo', { inputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } })],
    }
    const { told } = await suffer(
      dialect,
      [toolCalls(['echo', '{"n": 1,'], ['nobody', {}], ['echo', { n: 'one' }], ['echo', {}]), { pieces: says('I give up.') }],
      agent,
    )
    expect(told.story).toEqual([
      'assistant (tool-calls): calls echo, calls nobody, calls echo, calls echo',
      'tool: echo error',
      'tool: nobody error',
      'tool: echo error',
      'tool: echo error',
      ...answered,
    ])
    expect(told.outputs.map(String)).toEqual([
      expect.stringMatching(/JSON/),
      expect.stringMatching(/no tool named nobody.*echo/),
      expect.stringMatching(/n/),
      expect.stringMatching(/n/),
    ])
    expect(world.tools.visitsTo('/echo').filter(({ end }) => end !== 'answered')).toEqual([])
  }))

test('[AGT3] two megabytes are an answer like any other', () =>
  onEach(async (dialect) => {
    const { told } = await suffer(dialect, [
      {
        pieces: [
          { type: 'text', text: '語 and ', times: 100_000 },
          { type: 'text', text: 'x', times: 1_100_000 },
        ],
      },
    ])
    expect(told.story).toEqual(answered)
    expect(told.text.length).toBe(1_700_000)
  }))

test('[AGT3] a call in a cut answer is not made', () =>
  onEach(async (dialect) => {
    const agent = { tools: [world.tool('once', `/echo/${dialect}-once`)] }
    const cut: Answer = { pieces: [...calls('once', { n: 1 }).slice(0, 2), ...heardThenReset] }
    const { told, tries } = await suffer(dialect, [cut, toolCalls(['once', { n: 2 }]), fine], agent)
    expect(told.story).toEqual([
      'turn.resumed retry anew',
      'assistant (tool-calls): calls once',
      'tool.started once',
      'tool: once ok',
      ...answered,
    ])
    expect([world.tools.visitsTo(`/echo/${dialect}-once`).length, tries]).toEqual([1, 3])
  }))

interface ProviderState {
  id: string
  status: string
  circuit: string
}

async function providers(): Promise<ProviderState[]> {
  const { body } = await world.ask('GET', '/v1/models')
  return (body as { providers: ProviderState[] }).providers
}

test('[AGT2] the models of both providers are listed, read once however many ask', async () => {
  const lists = await Promise.all(Array.from({ length: 8 }, () => world.ask('GET', '/v1/models')))
  const listed = [{ id: 'openai/gpt-test' }, { id: 'anthropic/claude-test' }].map((model) => expect.objectContaining(model))
  for (const { body } of lists) expect(body).toMatchObject({ items: expect.arrayContaining(listed) })
  const read = (await world.upstream.allCalls()).filter(({ path }) => path.startsWith('/v1/models'))
  expect(read.map(({ dialect }) => dialect).sort()).toEqual(['anthropic', 'openai'])
})

test('[AGT2] a provider that fails and fails is left alone for a while, as the list shows, and no other suffers', async () => {
  expect(await providers()).toMatchObject([{ circuit: 'closed' }, { circuit: 'closed' }, {}])
  const failing = await world.conversation('openai')
  const failed = await failing.turn('Hello', ...Array.from({ length: maxTries }, () => ({ status: 500 })))
  expect(failed.story).toEqual(['turn.failed agent_unavailable'])

  const talks = [await world.conversation('openai'), await world.conversation('openai')]
  const [tried, patient] = talks
  await tried?.script({ status: 500 }, fine)
  await patient?.script(fine)
  const { id: triedId } = (await tried?.submit('Hello')) ?? { id: '' }
  await expect.poll(async () => (await providers())[0]).toMatchObject({ id: 'openai', circuit: 'open', status: 'down' })
  const { id: patientId } = (await patient?.submit('Hello')) ?? { id: '' }
  const other = await world.conversation('anthropic')
  expect((await other.turn('Hello', fine)).story).toEqual(answered)
  expect(await patient?.calls()).toEqual([])

  // Both are answered when it has rested, and the first answer closes the circuit.
  expect((await tried?.settled(triedId))?.story).toEqual(answered)
  expect((await patient?.settled(patientId))?.story).toEqual(answered)
  const [first, second] = (await tried?.calls()) ?? []
  expect((second?.beganAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThan(10_000)
  expect((await providers())[0]).toMatchObject({ circuit: 'closed', status: 'ok' })
}, 60_000)

test('[SEC4] after all of this every log is lawful, and no secret stands in an event, an answer or the server’s log', async () => {
  expect(await world.faults()).toEqual([])
  expect(await world.leaks()).toEqual([])
  expect(world.server.logLines().filter((line) => line.level === 'error')).toEqual([])
})
