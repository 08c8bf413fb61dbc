/**
 * The boundaries between the steps of a turn at which a server may die: how a conversation gets there, what happens once the
 * server is back, and what must have become of the turn then. Each is held open by the model provider or by the owner of a
 * tool, so that a kill falls exactly there; a few are points in time, and allow what may have happened on either side.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentConversation, TurnTold } from '../server/agent-conversation.ts'
import type { AgentWorld } from '../server/agent-world.ts'
import { calls, says, toolCalls, type Answer, type Dialect } from '../upstream/answer.ts'

const pollMs = 20

export interface Boundary {
  title: string
  agent(place: Place): object
  answers(place: Place): Answer[]
  /** Resolves when the conversation is there. */
  reach(place: Place, talk: AgentConversation): Promise<void>
  /** The last thing before the kill: what it sets off and the kill are under way together. */
  strike?(place: Place): Promise<void>
  /** Once the server is back. */
  goOn?(place: Place, talk: AgentConversation, turnId: string): Promise<void>
  /** Stories that the turn may have had, from its start to its end. */
  stories: string[][]
  /** How often its tool may have been called, by any id, and by how many ids. */
  visits: { most: number; least: number }
  text: string
}

/** Names that belong to one conversation alone. */
export interface Place {
  world: AgentWorld
  dialect: Dialect
  gate: string
  path: string
}

const answered = ['assistant (stop): text', 'turn.completed stop']
const called = 'assistant (tool-calls): calls act'
const started = 'tool.started act'
const recovered = 'turn.resumed recovery'
const anew = 'turn.resumed recovery anew'
const fine: Answer = { pieces: says('Fine.') }
const call = toolCalls(['act', { n: 1 }])
const plain = { agent: () => ({}), text: 'Fine.', visits: { most: 0, least: 0 } }

/** The provider waits at the gate. */
const atGate = ({ gate }: Place, talk: AgentConversation) => talk.reached(gate)
const atTool = ({ world, path }: Place) => world.tools.reached(path)

function acting(more: object) {
  return ({ world, path }: Place) => ({ tools: [world.tool('act', path, more)] })
}

async function untilAsked(_place: Place, talk: AgentConversation): Promise<void> {
  while ((await talk.session()).status !== 'waiting') await sleep(pollMs)
}

async function allow(talk: AgentConversation): Promise<void> {
  const [approval] = (await talk.session()).pendingApprovals
  if (!approval) throw new Error('The approval was lost')
  const { status } = await talk.answer(approval.id, { decision: 'allow' })
  if (status !== 200) throw new Error(`The answer was refused with ${status}`)
}

const releaseTool = ({ world, path }: Place) => Promise.resolve(world.tools.release(path))

export const boundaries: Boundary[] = [
  {
    ...plain,
    title: 'before the model answers',
    answers: ({ gate }) => [{ pieces: [{ type: 'hold', gate }] }, fine],
    reach: atGate,
    stories: [[anew, ...answered]],
  },
  {
    ...plain,
    title: 'in mid-stream',
    answers: ({ gate }) => [{ pieces: [...says('Once ', 'upon '), { type: 'hold', gate }, ...says('a time')] }, fine],
    reach: atGate,
    stories: [[anew, ...answered]],
  },
  {
    ...plain,
    title: 'in the middle of a call that is being written',
    agent: acting({}),
    answers: ({ gate }) => [{ pieces: [...calls('act', { n: 1 }).slice(0, 2), { type: 'hold', gate }] }, fine],
    reach: atGate,
    stories: [[anew, ...answered]],
  },
  {
    ...plain,
    title: 'after the last chunk',
    answers: ({ gate }) => [{ pieces: [...says('Fine.'), { type: 'hold', gate }] }, fine],
    reach: atGate,
    strike: ({ world, gate }) => world.upstream.release(gate),
    stories: [answered, [anew, ...answered]],
  },
  {
    ...plain,
    title: 'in mid-stream, with a steered input that no step has taken up',
    answers: ({ gate }) => [{ pieces: [...says('Once '), { type: 'hold', gate }] }, fine],
    reach: async (place, talk) => {
      await atGate(place, talk)
      await talk.submit('And be quick', 'steer')
    },
    stories: [['turn.steered', anew, 'user: text', ...answered]],
  },
  {
    ...plain,
    title: 'while it waits to try again',
    answers: () => [{ status: 429, headers: { 'retry-after': '30' } }, fine],
    reach: async ({ world }, talk) => void (await world.upstream.until(talk.model, 'a try', ([first]) => first?.end === 'completed')),
    stories: [[anew, ...answered]],
  },
  {
    ...plain,
    title: 'in the second step',
    agent: acting({}),
    answers: ({ gate }) => [call, { pieces: [...says('Once '), { type: 'hold', gate }] }, fine],
    reach: async (place, talk) => {
      await releaseTool(place)
      await atGate(place, talk)
    },
    stories: [[called, started, 'tool: act ok', anew, ...answered]],
    visits: { most: 1, least: 1 },
  },
  {
    ...plain,
    title: 'a tool has started that must not run twice',
    agent: acting({ idempotent: false }),
    answers: () => [call, fine],
    reach: atTool,
    stories: [[called, started, recovered, 'tool: act error', ...answered]],
    visits: { most: 1, least: 1 },
  },
  {
    ...plain,
    title: 'a tool has started that may run twice',
    agent: acting({ idempotent: true }),
    answers: () => [call, fine],
    reach: atTool,
    goOn: releaseTool,
    stories: [[called, started, recovered, started, 'tool: act ok', ...answered]],
    visits: { most: 2, least: 2 },
  },
  {
    ...plain,
    title: 'a tool has just ended',
    agent: acting({ idempotent: false }),
    // The step behind it may be called for by the server that dies, and again by the next.
    answers: () => [call, fine, fine],
    reach: atTool,
    strike: releaseTool,
    stories: [
      [called, started, 'tool: act ok', ...answered],
      [called, started, 'tool: act ok', anew, ...answered],
      [called, started, recovered, 'tool: act error', ...answered],
    ],
    visits: { most: 1, least: 1 },
  },
  {
    ...plain,
    title: 'one of two tools has ended',
    agent: ({ world, path }) => ({ tools: [world.tool('act', path), world.tool('other', '/echo')] }),
    answers: () => [toolCalls(['act', {}], ['other', {}]), fine],
    reach: async (place, talk) => {
      await atTool(place)
      while (!JSON.stringify(await talk.events()).includes('"toolName":"other","output"')) await sleep(pollMs)
    },
    stories: [
      [
        'assistant (tool-calls): calls act, calls other',
        started,
        'tool.started other',
        'tool: other ok',
        recovered,
        'tool: act error',
        ...answered,
      ],
    ],
    visits: { most: 1, least: 1 },
  },
  {
    ...plain,
    title: 'an approval is pending',
    agent: acting({ approval: 'always' }),
    answers: () => [call, fine],
    reach: untilAsked,
    goOn: async (place, talk) => {
      place.world.tools.release(place.path)
      await allow(talk)
    },
    stories: [
      [
        called,
        'approval.requested act',
        'turn.waiting',
        'approval.resolved allowed',
        'turn.resumed approval',
        started,
        'tool: act ok',
        ...answered,
      ],
    ],
    visits: { most: 1, least: 1 },
  },
  {
    ...plain,
    title: 'an approval is pending that nobody answers in time',
    agent: ({ world, path }) => ({ tools: [world.tool('act', path, { approval: 'always' })], approvalExpiresInSeconds: 6 }),
    answers: () => [call, fine],
    reach: untilAsked,
    goOn: async (_place, talk) => {
      while ((await talk.session()).status === 'waiting') await sleep(pollMs)
    },
    stories: [
      [
        called,
        'approval.requested act',
        'turn.waiting',
        'approval.resolved expired',
        'turn.resumed approval',
        'tool: act error',
        ...answered,
      ],
    ],
  },
  {
    ...plain,
    title: 'an approval was just answered',
    agent: acting({ approval: 'always' }),
    answers: () => [call, fine],
    reach: async (place, talk) => {
      await untilAsked(place, talk)
      await allow(talk)
    },
    stories: [
      [
        called,
        'approval.requested act',
        'turn.waiting',
        'approval.resolved allowed',
        'turn.resumed approval',
        started,
        recovered,
        'tool: act error',
        ...answered,
      ],
    ],
    visits: { most: 1, least: 0 },
  },
  {
    ...plain,
    title: 'in mid-stream, of an agent whose turns are not resumed',
    agent: () => ({ recovery: 'interrupt' }),
    answers: ({ gate }) => [{ pieces: [...says('Once '), { type: 'hold', gate }] }],
    reach: atGate,
    // What was said in the last moment may not have been saved.
    stories: [['turn.interrupted'], ['assistant (interrupted): text', 'turn.interrupted']],
    text: '',
  },
]

/** What is wrong with what became of it. */
export function faultsAt({ title, stories, visits, text }: Boundary, place: Place, told: TurnTold): string[] {
  const fault = (what: string) => `${place.dialect}, ${title}: ${what}`
  const story = JSON.stringify(told.story)
  const seen = place.world.tools.visitsTo(place.path)
  const ids = new Set(seen.map(({ id }) => id))
  const voided = told.of('turn.resumed').flatMap(({ supersedes }) => supersedes ?? [])
  return [
    ...(stories.some((allowed) => JSON.stringify(allowed) === story) ? [] : [fault(`became ${story}`)]),
    ...(seen.length >= visits.least && seen.length <= visits.most ? [] : [fault(`its tool was called ${seen.length} times`)]),
    ...(ids.size <= 1 ? [] : [fault(`its tool was called as ${[...ids].join(' and ')}`)]),
    ...(told.messages.some(({ id }) => voided.includes(id)) ? [fault('kept a message that it said is void')] : []),
    ...(text === '' || told.text === text ? [] : [fault(`it said ${JSON.stringify(told.text)}`)]),
  ]
}
