/** Erasing: nothing of the session stays but a marker, nothing comes back, and after seven days not even the marker. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/protocol/body.ts'
import type { SessionSummary } from '../../src/protocol/session.ts'
import { call, DAY_MS, tokenOf } from '../edge/edge-client.ts'
import { crash, evict, sqlIn, storedIn, stubOf } from './object-probe.ts'
import { answerOf, eventually, newSession, runTurn, statusOf, submit } from './session-client.ts'
import { attach } from './socket-client.ts'

const secret = 'words that must be gone'

async function sessionWithSecrets(): Promise<string> {
  const id = await newSession({ title: secret, instructions: secret, metadata: { secret }, tags: ['gone'] })
  for (let turn = 0; turn < 20; turn++) await runTurn(id, `/think ${secret}`)
  return id
}

const erase = (id: string) => statusOf('DELETE', `/v1/sessions/${id}`)

async function listedIds(query = ''): Promise<string[]> {
  const page = await answerOf<Page<SessionSummary, string>>(200, 'GET', `/v1/sessions?limit=200${query}`)
  return page.items.map(({ id }) => id)
}

const indexRow = (id: string) => env.INDEX.prepare('select * from sessions where id = ?').bind(id).first()

/** Only the marker, which says nothing but when. */
async function expectOnlyMarker(id: string): Promise<number> {
  const { tables, alarm } = await storedIn(stubOf(id))
  expect(Object.keys(tables)).toEqual(['slots'])
  expect(tables.slots).toHaveLength(1)
  const [row] = await sqlIn(stubOf(id), 'select kind, body from slots')
  expect(row?.kind).toBe('erased')
  const marker = JSON.parse(String(row?.body)) as { at: number }
  expect(Object.keys(marker)).toEqual(['at'])
  expect(alarm).not.toBeNull()
  return marker.at
}

describe('an erased session', () => {
  it('[ERA1] leaves a marker without content in the object, and a tombstone without content in the index', async () => {
    const id = await sessionWithSecrets()
    await eventually(
      () => listedIds('&q=gone'),
      (ids) => ids.includes(id),
    )
    expect(await erase(id)).toBe(204)
    expect(Date.now() - (await expectOnlyMarker(id))).toBeLessThan(10_000)
    expect((await storedIn(stubOf(id))).alarm).toBeGreaterThan(Date.now() + 6.9 * DAY_MS)
    expect(await listedIds()).not.toContain(id)
    expect(await listedIds('&q=gone')).not.toContain(id)
    const row = await indexRow(id)
    expect(row).toMatchObject({ id, version: Number.MAX_SAFE_INTEGER, title: null, tags: null, last_message: null })
    expect(JSON.stringify(row)).not.toContain(secret)
    const words = await env.INDEX.prepare('select * from session_search where session_id = ?').bind(id).all()
    expect(words.results).toEqual([])
  })

  it('[ERA1] answers 404 to everything from then on, in the same object and in one that woke', async () => {
    const id = await sessionWithSecrets()
    const { turn } = await runTurn(id, '/bytes 1')
    const token = await tokenOf({ sessionId: id, access: 'write' })
    await erase(id)
    const session = `/v1/sessions/${id}`
    const gets = ['', '/events', '/messages', '/context', '/turns', `/turns/${turn.id}`, '/approvals', '/search?q=x', '/export']
    for (const wake of [() => Promise.resolve(), () => crash(stubOf(id))]) {
      await wake()
      for (const path of gets) expect([path, await statusOf('GET', session + path)]).toEqual([path, 404])
      expect(await statusOf('GET', session, { credential: token })).toBe(404)
      expect(await statusOf('POST', `${session}/turns`, { body: { input: 'x' } })).toBe(404)
      expect(await statusOf('POST', `${session}/turns/${turn.id}/cancel`)).toBe(404)
      expect(await statusOf('PATCH', session, { body: { title: 'back' } })).toBe(404)
      expect(await statusOf('POST', `${session}/tokens`, { body: { access: 'read', expiresInSeconds: 60 } })).toBe(404)
      expect(await erase(id)).toBe(404)
      expect(await (await attach(id, 0)).closed()).toBe(4410)
      await expectOnlyMarker(id)
    }
  })

  it('[ERA1] closes its sockets with 4410, those that hibernate too', async () => {
    const id = await newSession()
    const [byKey, byToken] = [
      await (await attach(id, 0)).ready(),
      await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read' }))).ready(),
    ]
    await evict(stubOf(id))
    await erase(id)
    expect([await byKey.closed(), await byToken.closed()]).toEqual([4410, 4410])
  })

  it('[ERA1] is not brought back by the key that made it', async () => {
    const options = { body: { title: 'x' }, headers: { 'idempotency-key': `create-${crypto.randomUUID()}` } }
    const made = await call('POST', '/v1/sessions', options)
    const { id } = (await made.json()) as { id: string }
    await erase(id)
    for (const wake of [() => Promise.resolve(), () => crash(stubOf(id))]) {
      await wake()
      expect(await statusOf('POST', '/v1/sessions', options)).toBe(404)
      await expectOnlyMarker(id)
      expect(await listedIds()).not.toContain(id)
    }
  })

  it.each([0, 5, 30, 100, 300])('[ERA1] gets no late word of a turn that ran %i ms when it was erased', async (ms) => {
    const id = await newSession()
    const client = await (await attach(id, 0)).ready()
    await submit(id, '/stream 60 20')
    await submit(id, '/stream 5 20')
    await scheduler.wait(ms)
    expect(await erase(id)).toBe(204)
    expect(await client.closed()).toBe(4410)
    const frames = client.frames.length
    await scheduler.wait(2_500)
    await expectOnlyMarker(id)
    expect(client.frames).toHaveLength(frames)
    expect(await indexRow(id)).toMatchObject({ version: Number.MAX_SAFE_INTEGER, title: null })
  })

  it('[ERA1] stays erased when the object dies at once, and the alarm goes on with it', async () => {
    await Promise.all(
      [0, 1, 2, 5].map(async (ms) => {
        const id = await newSession({ title: secret })
        const erased = erase(id).catch(() => 0)
        await scheduler.wait(ms)
        await crash(stubOf(id))
        await erased
        expect(await erase(id)).toBeOneOf([204, 404])
        await runDurableObjectAlarm(stubOf(id))
        await expectOnlyMarker(id)
        expect(await indexRow(id)).toMatchObject({ version: Number.MAX_SAFE_INTEGER, title: null })
      }),
    )
  })

  it('[ERA1] is erased while D1 is down, and the index hides it once D1 is back', async () => {
    const id = await newSession({ title: 'x' })
    await env.INDEX.prepare('alter table sessions rename to sessions_away').run()
    expect(await erase(id)).toBe(204)
    await env.INDEX.prepare('alter table sessions_away rename to sessions').run()
    expect(await listedIds()).toContain(id)
    await expectOnlyMarker(id)
    expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
    expect(await listedIds()).not.toContain(id)
  })

  it('[ERA1] keeps its marker for seven days and then nothing: no table, no alarm, no row in the index', async () => {
    const id = await sessionWithSecrets()
    await erase(id)
    const at = await expectOnlyMarker(id)
    const moveMarker = (to: number) => sqlIn(stubOf(id), "update slots set body = ? where kind = 'erased'", JSON.stringify({ at: to }))
    await moveMarker(at - 7 * DAY_MS + 60_000)
    await runDurableObjectAlarm(stubOf(id))
    await expectOnlyMarker(id)
    await moveMarker(at - 7 * DAY_MS - 1)
    expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
    expect(await storedIn(stubOf(id))).toEqual({ tables: {}, alarm: null })
    expect(await indexRow(id)).toBeNull()
    expect(await statusOf('GET', `/v1/sessions/${id}`)).toBe(404)
    expect(await storedIn(stubOf(id))).toEqual({ tables: {}, alarm: null })
  })
})
