/** The object keeps its row in the index true, with D1 up, down, and up again, and across its own death. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it } from 'vitest'
import type { Page } from '../../src/protocol/body.ts'
import type { Session, SessionSummary } from '../../src/protocol/session.ts'
import { call } from '../edge/edge-client.ts'
import { crash, stubOf } from './object-probe.ts'
import { answerOf, eventually, getSession, newSession, runTurn, submit, whenIdle, words } from './session-client.ts'

async function listed(id: string): Promise<SessionSummary | null> {
  const page = await answerOf<Page<SessionSummary, string>>(200, 'GET', '/v1/sessions?limit=200')
  return page.items.find((summary) => summary.id === id) ?? null
}

/** The part of a session that the list shows. */
function summaryOf(session: Session, lastMessage: string | null): SessionSummary {
  const { id, title, status, agent, model, tags, archived, parent, createdAt, updatedAt, head, usage } = session
  return { id, title, status, agent, model, tags, archived, parent, createdAt, updatedAt, head, turns: usage.turns, lastMessage }
}

async function expectListed(id: string, lastMessage: string | null): Promise<void> {
  const session = await getSession(id)
  const summary = await eventually(
    () => listed(id),
    (item) => item?.head === session.head,
  )
  expect(summary).toEqual(summaryOf(session, lastMessage))
}

let isDown = false
async function takeDown(): Promise<void> {
  await env.INDEX.prepare('alter table sessions rename to sessions_away').run()
  isDown = true
}
async function bringBack(): Promise<void> {
  if (isDown) await env.INDEX.prepare('alter table sessions_away rename to sessions').run()
  isDown = false
}
afterEach(bringBack)

describe('the index', () => {
  it('[IDX2] has a new session at once and every change of it a moment later', async () => {
    const id = await newSession({ title: 'A title', tags: ['x', 'y'], model: 'm' })
    expect(await listed(id)).toEqual(summaryOf(await getSession(id), null))
    await runTurn(id, '/stream 3 0')
    await expectListed(id, words(3))
    await answerOf(200, 'PATCH', `/v1/sessions/${id}`, { body: { title: null, tags: [] } })
    await expectListed(id, words(3))
    await answerOf(200, 'PATCH', `/v1/sessions/${id}`, { body: { archived: true } })
    const archived = await answerOf<Page<SessionSummary, string>>(200, 'GET', '/v1/sessions?archived=true')
    expect(archived.items.map((item) => item.id)).toContain(id)
  })

  it('[IDX2] shows a turn that runs, and that it ended', async () => {
    const id = await newSession()
    await submit(id, '/stream 200 20')
    expect(
      await eventually(
        () => listed(id),
        (item) => item?.status === 'running',
      ),
    ).toMatchObject({ turns: 1, lastMessage: '/stream 200 20' })
    await whenIdle(id)
    await expectListed(id, words(200).slice(0, 200))
  })

  it('[IDX2] that fails fails neither a create nor a turn nor an update, and is right once it is back', async () => {
    await takeDown()
    const id = await newSession({ title: 'made in the dark' })
    expect((await runTurn(id, '/stream 3 0')).turn.status).toBe('completed')
    expect((await call('PATCH', `/v1/sessions/${id}`, { body: { title: 'still dark', archived: false } })).status).toBe(200)
    await scheduler.wait(2_500)
    await bringBack()
    expect(await listed(id)).toBeNull()
    // No request and no commit comes any more: the object's own alarm must do it, sooner than the one that looks after turns.
    await eventually(
      () => listed(id),
      (item) => item !== null,
      15_000,
    )
    await expectListed(id, words(3))
  }, 60_000)

  it('[IDX3] is repaired by the alarm of an object that died while D1 was down', async () => {
    await takeDown()
    const id = await newSession()
    await runTurn(id, '/stream 3 0')
    await crash(stubOf(id))
    await bringBack()
    expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
    await expectListed(id, words(3))
  })

  it('[IDX3] is repaired by the alarm wherever in its writing the object died', async () => {
    await Promise.all(
      [0, 1, 2, 4, 8, 1_900, 1_990, 2_000, 2_010, 2_030].map(async (ms) => {
        const id = await newSession()
        const turn =
          ms < 100 ? call('PATCH', `/v1/sessions/${id}`, { body: { archived: false, title: `${ms}` } }) : runTurn(id, '/stream 3 0')
        await Promise.race([scheduler.wait(ms), ms < 100 ? scheduler.wait(ms) : turn])
        if (ms > 100) await scheduler.wait(ms)
        await crash(stubOf(id))
        await turn.catch(() => {})
        await runDurableObjectAlarm(stubOf(id))
        await expectListed(id, ms < 100 ? null : words(3))
      }),
    )
  }, 30_000)
})
