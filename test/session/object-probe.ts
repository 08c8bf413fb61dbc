/** A session's object seen from inside: what it stores, what that is billed, and ways to end it. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { Principal } from '../../src/protocol/access.ts'
import { objectName, type SessionAnswer, type SessionRequest } from '../../src/session/requests.ts'
import type { SessionObject } from '../../src/session/session-object.ts'

export type Stub = DurableObjectStub<SessionObject>

export const operator: Principal = { kind: 'key', id: 'operator', tenant: 'default', scope: 'operator' }

export function stubOf(sessionId: string): Stub {
  return env.SESSIONS.getByName(objectName('default', sessionId))
}

/** Rows as the platform bills them: what the cursors of the object's own SQLite count, and one for each alarm set. */
export class RowMeter {
  readonly #cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
  alarms = 0

  /** Counts from here on, until the object is evicted or dies. */
  static install(stub: Stub): Promise<RowMeter> {
    const meter = new RowMeter()
    return runInDurableObject(stub, (_, { storage }) => {
      const exec = storage.sql.exec.bind(storage.sql)
      storage.sql.exec = <T extends Record<string, SqlStorageValue>>(query: string, ...bindings: unknown[]) => {
        const cursor = exec<T>(query, ...bindings)
        meter.#cursors.push(cursor)
        return cursor
      }
      const setAlarm = storage.setAlarm.bind(storage)
      storage.setAlarm = (at) => {
        meter.alarms += 1
        return setAlarm(at)
      }
      return meter
    })
  }

  get rowsRead(): number {
    return this.#cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0)
  }

  /** Alarms included. */
  get rowsWritten(): number {
    return this.#cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, this.alarms)
  }
}

/** Everything the object stores, row by row, and its alarm. */
export function storedIn(stub: Stub): Promise<{ tables: Record<string, string[]>; alarm: number | null }> {
  return runInDurableObject(stub, async (_, { storage }) => {
    const names = storage.sql
      .exec<{ name: string }>("select name from sqlite_master where type = 'table' and name not like '\\_cf%' escape '\\'")
      .toArray()
    const rowsOf = ({ name }: { name: string }) => [...storage.sql.exec(`select * from ${name}`).raw()].map((row) => JSON.stringify(row))
    return { tables: Object.fromEntries(names.map((table) => [table.name, rowsOf(table)])), alarm: await storage.getAlarm() }
  })
}

export function sqlIn(stub: Stub, statement: string, ...bindings: unknown[]): Promise<Record<string, SqlStorageValue>[]> {
  return runInDurableObject(stub, (_, { storage }) => storage.sql.exec(statement, ...bindings).toArray())
}

/** A crash: memory, what runs and every socket are gone; storage stays. */
export async function crash(stub: Stub): Promise<void> {
  const died = runInDurableObject(stub, (_, state) => state.abort('crashed by a test'))
  await died.catch(() => {})
}

/** Waits until nothing is under way in the object, then drops its memory. */
export async function evict(stub: Stub, webSockets: 'hibernate' | 'close' = 'hibernate'): Promise<void> {
  await evictDurableObject(stub, { webSockets })
}

/** A stub, or the object itself where a test is inside it. */
interface Performer {
  perform(request: SessionRequest): Promise<SessionAnswer>
}

/** One request straight to the object, as the edge would make it. */
export function perform(
  stub: Performer,
  sessionId: string,
  request: Pick<SessionRequest, 'verb' | 'args'>,
  principal: Principal = operator,
): Promise<SessionAnswer> {
  // Verb and arguments belong together, which a spread of the union hides.
  const whole = { principal, requestId: 'test', tenant: 'default', sessionId, ...request } as SessionRequest
  return stub.perform(whole)
}

/** Adds so many short turns, four events each, from inside the object: the real path without the HTTP around it. */
export async function grow(sessionId: string, turns: number): Promise<void> {
  await runInDurableObject(stubOf(sessionId), async (object: SessionObject) => {
    const args = { input: [{ type: 'text' as const, text: '/bytes 1' }], whenBusy: 'enqueue' as const }
    for (let turn = 1; turn <= turns; turn++) {
      const answer = await perform(object, sessionId, { verb: 'submitTurn', args })
      if (!answer.ok) throw new Error(answer.error.message)
      // Sixteen may wait.
      if (turn % 8 === 0 || turn === turns) await untilIdle(object, sessionId)
    }
  })
}

async function untilIdle(object: Performer, sessionId: string): Promise<void> {
  for (;;) {
    // Words without a pause need no clock; what an agent loads when it is first needed may take a moment.
    await scheduler.wait(0)
    const answer = await perform(object, sessionId, { verb: 'get', args: {} })
    if (answer.ok && answer.value !== null && 'status' in answer.value && answer.value.status === 'idle') return
  }
}
