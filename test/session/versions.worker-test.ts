/** A newer server wrote here: an older one refuses with version_too_new, and changes nothing (rule LOG7). */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Problem } from '../../src/protocol/errors.ts'
import { slotId } from '../../src/storage/row-ids.ts'
import { call } from '../edge/edge-client.ts'
import { crash, grow, sqlIn, storedIn, stubOf } from './object-probe.ts'
import { answerOf, newSession, runTurn, submit, whenIdle } from './session-client.ts'
import { attach } from './socket-client.ts'

/** Rows that a newer server would have written, by what they hold. */
const newer: [string, string][] = [
  ['the newest commit', 'update log set version = 99 where last_seq = (select max(last_seq) from log)'],
  [
    'the newest snapshot',
    "update slots set version = 99 where kind = 'snapshot' and seq = (select max(seq) from slots where kind = 'snapshot')",
  ],
  ['the layout of the tables', `insert into slots (id, version, pieces, body) values (${slotId('layout', 0)}, 99, 1, '')`],
]

async function sessionWith(statement: string): Promise<string> {
  const id = await newSession()
  await grow(id, 20)
  await whenIdle(id)
  await sqlIn(stubOf(id), statement)
  await crash(stubOf(id))
  return id
}

async function expectTooNew(method: string, path: string, body?: unknown): Promise<void> {
  const problem = await answerOf<Problem>(503, method, path, body === undefined ? {} : { body })
  expect({ path, code: problem.code, retryable: problem.retryable }).toEqual({ path, code: 'version_too_new', retryable: true })
}

describe.each(newer)('where %s is of a newer version', (_, statement) => {
  it('[LOG7] every call is refused, the first and the next, and nothing is changed', async () => {
    const id = await sessionWith(statement)
    const stored = await storedIn(stubOf(id))
    const session = `/v1/sessions/${id}`
    for (let round = 0; round < 2; round++) {
      for (const path of ['', '/events', '/messages', '/context', '/turns', '/export']) await expectTooNew('GET', session + path)
      await expectTooNew('POST', `${session}/turns`, { input: 'hello' })
      await expectTooNew('PATCH', session, { title: 'x' })
    }
    expect(await storedIn(stubOf(id))).toEqual(stored)
  })

  it('[LOG7] an attach is closed with 1012: worth another try, later', async () => {
    const id = await sessionWith(statement)
    const client = await attach(id, 0)
    expect(await client.closed()).toBe(1012)
    expect(client.frames).toEqual([])
  })

  it('[LOG7] the alarm goes by without harm', async () => {
    const id = await sessionWith(statement)
    const { tables } = await storedIn(stubOf(id))
    await expect(runDurableObjectAlarm(stubOf(id))).resolves.toBe(true)
    expect((await storedIn(stubOf(id))).tables).toEqual(tables)
  })
})

describe('where the idempotency window is of a newer version', () => {
  it('[LOG7] commands are refused, for nobody knows which were taken; reads, which need none of it, are answered', async () => {
    const id = await sessionWith("update slots set version = 99 where kind = 'idempotency'")
    const session = `/v1/sessions/${id}`
    for (let round = 0; round < 2; round++) {
      await expectTooNew('POST', `${session}/turns`, { input: 'hello' })
      await expectTooNew('PATCH', session, { title: 'x' })
      await answerOf(200, 'GET', `${session}/events`)
    }
  })
})

/** Far enough back that waking does not read it: a snapshot came since. Answers its last seq. */
async function withNewerOldCommit(): Promise<{ id: string; seq: number }> {
  const id = await sessionWith('update log set version = 99 where last_seq = (select last_seq from log order by last_seq limit 1 offset 4)')
  const [row] = await sqlIn(stubOf(id), 'select last_seq from log where version = 99')
  return { id, seq: Number(row?.last_seq) }
}

describe('where an old commit is of a newer version', () => {
  it('[LOG7] what needs it is refused, and what does not is answered', async () => {
    const { id, seq } = await withNewerOldCommit()
    const session = `/v1/sessions/${id}`
    await expectTooNew('GET', `${session}/events`)
    await expectTooNew('GET', `${session}/messages`)
    await expectTooNew('GET', `${session}/context`)
    await answerOf(200, 'GET', `${session}/events?after=${seq}`)
    await answerOf(200, 'GET', `${session}/messages?limit=2`)
    expect((await runTurn(id, '/bytes 1')).turn.status).toBe('failed')
  })

  it('[LOG7] a replay that meets it ends with 1012, after the events before it and without a ready', async () => {
    const { id, seq: newerSeq } = await withNewerOldCommit()
    const client = await attach(id, 0)
    expect(await client.closed(3_000)).toBe(1012)
    expect(client.readies).toEqual([])
    expect(client.seqs.every((seq, index) => seq === index + 1 && seq < newerSeq)).toBe(true)
  })
})

describe('where the partial text of a running turn is of a newer version', () => {
  it('[LOG7] every call is refused, the first and the next, and the turn is not touched', async () => {
    const id = await newSession()
    await submit(id, '/stream 400 20')
    await scheduler.wait(2_300)
    const changed = await sqlIn(stubOf(id), "update slots set version = 99 where kind = 'partial' returning kind")
    expect(changed).toHaveLength(1)
    await crash(stubOf(id))
    const { tables } = await storedIn(stubOf(id))
    await expectTooNew('GET', `/v1/sessions/${id}`)
    await expectTooNew('GET', `/v1/sessions/${id}`)
    expect((await storedIn(stubOf(id))).tables).toEqual(tables)
    await call('DELETE', `/v1/sessions/${id}`)
  })
})
