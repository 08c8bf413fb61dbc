/** SIGKILL at every boundary of a model agent's turn: no tool runs twice that must not, no approval is lost, every turn ends. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AgentConversation } from '../server/agent-conversation.ts'
import { AgentWorld } from '../server/agent-world.ts'
import { dialects, says } from '../upstream/answer.ts'
import { boundaries, faultsAt, type Boundary, type Place } from './boundaries.ts'

/** Recoveries without a durable step between them, before a turn is given up. */
const maxFruitless = 3

let world: AgentWorld

beforeAll(async () => {
  world = await AgentWorld.start()
}, 120_000)

afterAll(() => world?.stop())

/** A conversation that stands at its boundary. */
interface Stand {
  boundary: Boundary
  place: Place
  talk: AgentConversation
  turnId: string
}

const answered = ['assistant (stop): text', 'turn.completed stop']

async function stand(boundary: Boundary, place: Place): Promise<Stand> {
  const talk = await world.conversation(place.dialect, { agent: boundary.agent(place) })
  await talk.script(...boundary.answers(place))
  const { id } = await talk.submit('Go on')
  return { boundary, place, talk, turnId: id }
}

function places(index: number): Place[] {
  return dialects.map((dialect) => ({ world, dialect, gate: `${dialect}-${index}`, path: `/hold/${dialect}-${index}` }))
}

async function faultsAfter({ boundary, place, talk, turnId }: Stand): Promise<string[]> {
  await boundary.goOn?.(place, talk, turnId)
  const told = await talk.settled(turnId)
  const next = await talk.turn('Are you well?', { pieces: says('Fine.') })
  expect(next.story).toEqual(answered)
  return faultsAt(boundary, place, told)
}

test('[TOOL2] killed at every boundary of a turn, on each dialect: what ran ran once, what was asked is asked once, and all ends well', async () => {
  const stands = await Promise.all(boundaries.flatMap((boundary, index) => places(index).map((place) => stand(boundary, place))))
  await Promise.all(stands.map(({ boundary, place, talk }) => boundary.reach(place, talk)))
  await Promise.all(stands.flatMap(({ boundary, place }) => boundary.strike?.(place) ?? []))
  await world.server.kill()
  await world.server.restart()
  const faults = await Promise.all(stands.map(faultsAfter))
  expect(faults.flat()).toEqual([])
  // Among others: nobody who watched saw a word twice, or missed one.
  expect(await world.faults()).toEqual([])
}, 120_000)

test('[TRN4] a turn whose server dies again and again is given up, and the next turn works', async () => {
  const gate = 'again-and-again'
  const talk = await world.conversation('openai')
  await talk.script(...Array.from({ length: 9 }, () => ({ pieces: [...says('Once '), { type: 'hold' as const, gate }] })))
  const { id } = await talk.submit('Go on')
  for (let kills = 0; kills <= maxFruitless; kills++) {
    await world.upstream.until(talk.model, `call ${kills + 1}`, (all) => all[kills]?.holdingAt === gate)
    await world.server.kill()
    await world.server.restart()
    await talk.session()
  }
  const told = await talk.settled(id)
  expect(told.turn.status).toBe('interrupted')
  expect(told.of('turn.resumed').map(({ reason, attempt }) => [reason, attempt])).toEqual([
    ['recovery', 2],
    ['recovery', 3],
    ['recovery', 4],
  ])
  expect(await talk.calls()).toHaveLength(maxFruitless + 1)
  expect((await talk.turn('And now?', { pieces: says('Fine.') })).story).toEqual(answered)
}, 120_000)

test('[SEC4] after all of this no secret stands in an event, an answer or the server’s log', async () => {
  expect(await world.leaks()).toEqual([])
})
