import { describe, expect, it } from 'vitest'
import { call, callJson, createSession, keyOf, readSession, tokenOf, type ProblemJson, type SessionJson } from './edge-client.ts'

describe('sessions over HTTP', () => {
  it('[LOG2] a new session says where it is, and reads back as it was made', async () => {
    const body = { title: 'a title', tags: ['t'], metadata: { a: 1 }, instructions: 'be kind' }
    const { response, json } = await callJson<SessionJson>('POST', '/v1/sessions', { body })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe(`/v1/sessions/${json.id}`)
    expect(response.headers.get('dormouse-head')).toBe('1')
    expect(json).toMatchObject({ ...body, head: 1, status: 'idle' })
    expect(await readSession(json.id)).toEqual(json)
  })

  it('[TRN6] a body may be left out where no field is needed', async () => {
    expect((await call('POST', '/v1/sessions')).status).toBe(201)
    expect((await call('POST', '/v1/sessions', { body: '' })).status).toBe(201)
  })

  it('[TRN6] a repeated create with a key meets its own session; another command with it is a conflict', async () => {
    const headers = { 'idempotency-key': `create ${crypto.randomUUID()}` }
    const first = await callJson<SessionJson>('POST', '/v1/sessions', { body: { title: 'one' }, headers })
    const again = await callJson<SessionJson>('POST', '/v1/sessions', { body: { title: 'one' }, headers })
    expect([first.response.status, again.response.status]).toEqual([201, 201])
    expect(again.json).toEqual(first.json)
    expect(first.response.headers.get('idempotent-replayed')).toBeNull()
    expect(again.response.headers.get('idempotent-replayed')).toBe('true')
    const other = await callJson<ProblemJson>('POST', '/v1/sessions', { body: { title: 'two' }, headers })
    expect([other.response.status, other.json.code]).toEqual([409, 'idempotency_conflict'])
    const credential = await keyOf('member', 'other')
    const elsewhere = await callJson<SessionJson>('POST', '/v1/sessions', { body: { title: 'two' }, headers, credential })
    expect(elsewhere.response.status).toBe(201)
    expect(elsewhere.json.id).not.toBe(first.json.id)
  })

  it('[TRN6] a repeated turn with a key is the same turn; two without are two', async () => {
    const { id } = await createSession()
    const headers = { 'idempotency-key': 'one turn' }
    const submit = (more = {}) =>
      callJson<{ turn: { id: string }; seq: number }>('POST', `/v1/sessions/${id}/turns`, { body: { input: 'x' }, ...more })
    const first = await submit({ headers })
    const again = await submit({ headers })
    expect([again.json.turn.id, again.json.seq]).toEqual([first.json.turn.id, first.json.seq])
    expect(again.response.headers.get('idempotent-replayed')).toBe('true')
    expect((await submit()).json.turn.id).not.toBe((await submit()).json.turn.id)
  })

  it('[LOG5] the entity tag is the head: 304 while it stands, for every read of a session', async () => {
    const { id, head } = await createSession()
    const headers = { 'if-none-match': `"${head}"` }
    for (const path of ['', '/turns', '/events', '/messages', '/context', '/approvals', '/search?q=x', '/export']) {
      const fresh = await call('GET', `/v1/sessions/${id}${path}`)
      expect([fresh.status, fresh.headers.get('etag')], path).toEqual([200, `"${head}"`])
      await fresh.text()
      const cached = await call('GET', `/v1/sessions/${id}${path}`, { headers })
      expect([cached.status, await cached.text(), cached.headers.get('dormouse-head')], path).toEqual([304, '', String(head)])
    }
    await call('PATCH', `/v1/sessions/${id}`, { body: { title: 'x' } })
    expect((await call('GET', `/v1/sessions/${id}`, { headers })).status).toBe(200)
  })

  it('[LOG1] If-Match guards a change', async () => {
    const { id, head } = await createSession()
    const patch = (tag: string, title: string) =>
      callJson<ProblemJson>('PATCH', `/v1/sessions/${id}`, { body: { title }, headers: { 'if-match': tag } })
    expect((await patch(`"${head}"`, 'one')).response.status).toBe(200)
    for (const tag of [`"${head}"`, `W/"${head + 1}"`, '"x"']) {
      const { response, json } = await patch(tag, 'two')
      expect([response.status, json.code], tag).toEqual([412, 'precondition_failed'])
    }
    expect((await patch('17', 'two')).response.status).toBe(400)
    expect((await patch('*', 'three')).response.status).toBe(200)
    expect(await readSession(id)).toMatchObject({ title: 'three', head: head + 2 })
  })

  it('[LOG5] HEAD answers the headers of GET, and no body', async () => {
    const { id, head } = await createSession()
    const answer = await call('HEAD', `/v1/sessions/${id}/events`, { headers: { accept: 'text/event-stream' } })
    expect([answer.status, await answer.text(), answer.headers.get('dormouse-head')]).toEqual([200, '', String(head)])
  })

  it('[ERA1] erasing ends a session for good', async () => {
    const { id } = await createSession()
    expect((await call('DELETE', `/v1/sessions/${id}`)).status).toBe(204)
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/events'],
      ['DELETE', ''],
    ] as const) {
      const { response, json } = await callJson<ProblemJson>(method, `/v1/sessions/${id}${path}`)
      expect([response.status, json.code], method).toEqual([404, 'not_found'])
    }
    const { response } = await callJson<ProblemJson>('POST', `/v1/sessions/${id}/turns`, { body: { input: 'x' } })
    expect(response.status).toBe(404)
  })

  it('[IDX4] sessions are listed for their tenant alone', async () => {
    const credential = await keyOf('member', 'lister')
    const { json: made } = await callJson<SessionJson>('POST', '/v1/sessions', {
      body: { title: 'findable words', tags: ['t'] },
      credential,
    })
    const list = (query: string, as = credential) =>
      callJson<{ items: { id: string }[]; next: string | null }>('GET', `/v1/sessions${query}`, { credential: as })
    await expect.poll(async () => (await list('')).json.items.map(({ id }) => id)).toEqual([made.id])
    for (const query of ['?q=findable', '?tag=t', '?status=idle', '?agent=demo', '?archived=false', '?limit=1']) {
      expect(
        (await list(query)).json.items.map(({ id }) => id),
        query,
      ).toEqual([made.id])
    }
    for (const query of ['?q=nowhere', '?tag=u', '?status=running', '?agent=other', '?archived=true', `?parent=${made.id}`]) {
      expect((await list(query)).json.items, query).toEqual([])
    }
    expect((await list('', await keyOf('operator', 'somebody-else'))).json.items).toEqual([])
  })

  it('[LOG3] an export is its header and every event, and the same bytes every time', async () => {
    const { id } = await createSession({ title: 'exported' })
    for (let i = 0; i < 205; i++) await call('PATCH', `/v1/sessions/${id}`, { body: { title: `title ${i}` } })
    const response = await call('GET', `/v1/sessions/${id}/export`)
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const text = await response.text()
    const [header, ...events] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(header).toMatchObject({ type: 'dormouse.export', version: 1, head: 206, session: await readSession(id) })
    expect(events.map((event) => event['seq'])).toEqual(Array.from({ length: 206 }, (_, i) => i + 1))
    expect(await (await call('GET', `/v1/sessions/${id}/export`)).text()).toBe(text)
  })
})

describe('tokens over HTTP', () => {
  it('[SEC2] a token opens its session, says when it expires, and ends when revoked', async () => {
    const { id } = await createSession()
    const body = { access: 'read', expiresInSeconds: 3600 }
    const { response, json } = await callJson<{ token: string; expiresAt: number }>('POST', `/v1/sessions/${id}/tokens`, { body })
    expect(response.status).toBe(201)
    expect(Math.abs(json.expiresAt - Date.now() - 3_600_000)).toBeLessThan(10_000)
    const read = () => call('GET', `/v1/sessions/${id}`, { credential: json.token })
    expect((await read()).status).toBe(200)
    expect((await call('DELETE', `/v1/sessions/${id}/tokens`)).status).toBe(204)
    expect((await read()).status).toBe(401)
    const later = await callJson<{ token: string }>('POST', `/v1/sessions/${id}/tokens`, { body })
    expect((await call('GET', `/v1/sessions/${id}`, { credential: later.json.token })).status).toBe(200)
  })

  it('[SEC5] a token lives 30 days at most', async () => {
    const { id } = await createSession()
    for (const expiresInSeconds of [0, 2_592_001, 1.5, '60']) {
      const { response } = await callJson('POST', `/v1/sessions/${id}/tokens`, { body: { access: 'read', expiresInSeconds } })
      expect(response.status, String(expiresInSeconds)).toBe(400)
    }
  })

  it('[ATT5] a token that was never of the session’s epoch is refused by the session itself', async () => {
    const { id } = await createSession()
    await call('DELETE', `/v1/sessions/${id}/tokens`)
    const { response, json } = await callJson<ProblemJson>('GET', `/v1/sessions/${id}`, {
      credential: await tokenOf({ sessionId: id, access: 'read' }),
    })
    expect([response.status, json.code]).toEqual([401, 'unauthorized'])
  })
})
