/** Reads are pure: no GET writes a row in the object or in D1, sets an alarm, or makes a table where nothing was. */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { call, newSessionId } from '../edge/edge-client.ts'
import { crash, RowMeter, storedIn, stubOf } from './object-probe.ts'
import { eventually, newSession, runTurn, submit } from './session-client.ts'

const json: Record<string, string> = {}
const stream = { accept: 'text/event-stream' }
const upgrade = { upgrade: 'websocket' }

/** Every GET that is about a session, by path and headers. */
function readsOf(id: string, turnId: string): [string, Record<string, string>][] {
  const session = `/v1/sessions/${id}`
  return [
    [session, json],
    [`${session}/events`, json],
    [`${session}/events?after=2&limit=1`, json],
    [`${session}/events?after=0`, stream],
    [`${session}/messages`, json],
    [`${session}/messages?at=3&limit=1`, json],
    [`${session}/context`, json],
    [`${session}/context?at=3`, json],
    [`${session}/turns`, json],
    [`${session}/turns?status=completed`, json],
    [`${session}/turns/${turnId}`, json],
    [`${session}/turns/${turnId}`, stream],
    [`${session}/approvals`, json],
    [`${session}/search?q=hello`, json],
    [`${session}/export`, json],
    [`${session}/socket`, upgrade],
    [`${session}/socket?after=0`, upgrade],
    [`/parties/session/${id}?after=0`, upgrade],
    ['/v1/sessions', json],
    ['/v1/sessions?q=hello', json],
  ]
}

/** Reads to the end what ends, and hangs up on what does not. */
async function take(path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  const { status, body, webSocket } = await call(method, path, { headers })
  if (webSocket) {
    const greeted = new Promise<void>((resolve) => {
      webSocket.addEventListener('message', () => resolve())
      webSocket.addEventListener('close', () => resolve())
    })
    webSocket.accept()
    await greeted
    webSocket.close(1000)
  } else if (headers === stream) await body?.cancel()
  else if (body) await new Response(body).arrayBuffer()
  return status
}

/** Notes every attempt to write to the index, even one that would change nothing. */
async function watchIndex(): Promise<void> {
  // The words that search finds change in one batch with their session, never alone.
  const tables = ['sessions', 'keys']
  const verbs = ['insert', 'update', 'delete']
  const triggers = tables.flatMap((table) =>
    verbs.map(
      (verb) => `create trigger watch_${verb}_${table} before ${verb} on ${table} begin insert into noted values ('${verb} ${table}'); end`,
    ),
  )
  await env.INDEX.batch(['create table noted (attempt text)', ...triggers].map((statement) => env.INDEX.prepare(statement)))
}

async function attemptsOnIndex(): Promise<unknown[]> {
  return (await env.INDEX.prepare('select attempt from noted').all()).results
}

/** Waits until the index has heard of the last turn, so that what it writes later is not taken for a read's doing. */
async function indexIsQuiet(id: string, head: number): Promise<void> {
  const stored = () => env.INDEX.prepare('select version from sessions where id = ?').bind(id).first<{ version: number }>()
  await eventually(stored, (row) => row?.version === head)
}

describe('reading', () => {
  beforeAll(watchIndex)

  it('[LOG5] writes no row and sets no alarm in an object that is awake, and none in D1', async () => {
    const id = await newSession({ title: 'hello' })
    const { turn } = await runTurn(id, 'hello')
    await indexIsQuiet(id, 5)
    const [meter, attempts] = [await RowMeter.install(stubOf(id)), await attemptsOnIndex()]
    expect(attempts).not.toEqual([])
    for (const [path, headers] of readsOf(id, turn.id)) {
      for (const method of headers === upgrade ? ['GET'] : ['GET', 'HEAD']) {
        expect([path, await take(path, headers, method)]).toEqual([path, headers === upgrade ? 101 : 200])
        expect([path, meter.rowsWritten, meter.alarms]).toEqual([path, 0, 0])
      }
    }
    expect(meter.rowsRead).toBeGreaterThan(0)
    expect(await attemptsOnIndex()).toEqual(attempts)
  })

  it('[LOG5] leaves everything as it was in an object that has to wake for it', async () => {
    const id = await newSession()
    const { turn } = await runTurn(id, 'hello')
    await indexIsQuiet(id, 5)
    const [stored, attempts] = [await storedIn(stubOf(id)), await attemptsOnIndex()]
    for (const [path, headers] of readsOf(id, turn.id)) {
      await crash(stubOf(id))
      await take(path, headers)
      expect({ path, ...(await storedIn(stubOf(id))) }).toEqual({ path, ...stored })
    }
    expect(await attemptsOnIndex()).toEqual(attempts)
  })

  it('[LOG5] makes no table and sets no alarm for an unknown id', async () => {
    const attempts = await attemptsOnIndex()
    const turnId = `trn_${'0'.repeat(25)}1`
    for (const [index] of readsOf('', '').entries()) {
      const id = newSessionId()
      const [path, headers] = readsOf(id, turnId)[index] ?? ['', json]
      const status = await take(path, headers)
      if (path.includes(id)) expect([path, status]).toEqual([path, headers === upgrade ? 101 : 404])
      expect({ path, ...(await storedIn(stubOf(id))) }).toEqual({ path, tables: {}, alarm: null })
    }
    expect(await attemptsOnIndex()).toEqual(attempts)
  })

  it('[LOG5] a refused command writes nothing either, not even for an unknown id', async () => {
    const id = await newSession()
    await submit(id, '/stream 100 20')
    const meter = await RowMeter.install(stubOf(id))
    const unknown = newSessionId()
    const body = { input: 'hello', whenBusy: 'reject' }
    expect((await call('POST', `/v1/sessions/${id}/turns`, { body })).status).toBe(409)
    expect((await call('POST', `/v1/sessions/${unknown}/turns`, { body })).status).toBe(404)
    expect((await call('DELETE', `/v1/sessions/${unknown}`)).status).toBe(404)
    expect(meter.rowsWritten).toBe(0)
    expect(await storedIn(stubOf(unknown))).toEqual({ tables: {}, alarm: null })
  })
})
