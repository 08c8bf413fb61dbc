import { describe, expect, it } from 'vitest'
import { runTurn, eventually, getSession } from '../session/session-client.ts'
import { call, callJson, createSession, readEvents, tokenOf, type ProblemJson, type SseEvent } from './edge-client.ts'

interface ApprovalJson {
  id: string
  status: string
  toolName: string
  reason: string | null
}
type Answered = ApprovalJson & ProblemJson & { approval?: ApprovalJson }

const sse = { accept: 'text/event-stream' }
const typesOf = (events: SseEvent[]) => events.flatMap(({ frame }) => (frame.event ? [frame.event.type] : []))

/** A session whose turn waits for a yes. */
async function waiting(): Promise<{ id: string; approvalId: string; turnId: string }> {
  const { id } = await createSession()
  const { turn } = await runTurn(id, '/approve a note')
  expect(turn.status).toBe('waiting')
  const { pendingApprovals } = await getSession(id)
  return { id, approvalId: pendingApprovals[0]?.id ?? '', turnId: turn.id }
}

function answer(id: string, approvalId: string, body: unknown, headers: Record<string, string> = {}) {
  return callJson<Answered>('POST', `/v1/sessions/${id}/approvals/${approvalId}`, { body, headers })
}

const whenOver = (id: string) =>
  eventually(
    () => getSession(id),
    ({ status }) => status === 'idle',
  )

describe('approvals over HTTP', () => {
  it('[APR2] the first answer wins, the same again is no error, and another learns who won', async () => {
    const { id, approvalId } = await waiting()
    const { response, json } = await answer(id, approvalId, { decision: 'allow', reason: 'go on' })
    expect(response.status).toBe(200)
    expect(json).toMatchObject({ id: approvalId, toolName: 'demo_note', status: 'allowed', reason: 'go on' })
    await whenOver(id)
    const again = await answer(id, approvalId, { decision: 'allow' })
    expect([again.response.status, again.json.status]).toEqual([200, 'allowed'])
    const other = await answer(id, approvalId, { decision: 'deny' })
    expect([other.response.status, other.json.code]).toEqual([409, 'approval_resolved'])
    expect(other.json.approval).toEqual(json)
    const listed = await callJson<{ items: ApprovalJson[] }>('GET', `/v1/sessions/${id}/approvals?status=allowed`)
    expect(listed.json.items).toEqual([json])
  })

  it('[TRN6] a repeat with a key is the same answer', async () => {
    const { id, approvalId } = await waiting()
    const headers = { 'idempotency-key': 'answer' }
    const first = await answer(id, approvalId, { decision: 'deny' }, headers)
    await whenOver(id)
    const again = await answer(id, approvalId, { decision: 'deny' }, headers)
    expect([again.response.status, again.response.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect(again.json).toEqual(first.json)
    expect((await answer(id, approvalId, { decision: 'allow' }, headers)).json.code).toBe('idempotency_conflict')
  })

  it('[SEC2] bad answers are refused, and the approval stays', async () => {
    const { id, approvalId } = await waiting()
    for (const body of [{}, { decision: 'maybe' }, { decision: 'allow', scope: 'ever' }, { decision: 'allow', reason: '' }, []]) {
      expect((await answer(id, approvalId, body)).json.code, JSON.stringify(body)).toBe('invalid_request')
    }
    expect((await answer(id, 'apr_x', { decision: 'allow' })).json.code).toBe('invalid_id')
    expect((await answer(id, 'apr_00000000990123456789ABCDEF', { decision: 'allow' })).json.code).toBe('not_found')
    const credential = await tokenOf({ sessionId: id, access: 'write' })
    expect((await call('POST', `/v1/sessions/${id}/approvals/${approvalId}`, { credential, body: { decision: 'allow' } })).status).toBe(403)
    expect((await getSession(id)).pendingApprovals).toHaveLength(1)
  })

  it('[APR1] a turn’s stream ends where it waits, and goes on from there when it is asked for again', async () => {
    const { id } = await createSession()
    const first = await readEvents(await call('POST', `/v1/sessions/${id}/turns`, { body: { input: '/approve a note' }, headers: sse }))
    expect(typesOf(first).slice(-2)).toEqual(['approval.requested', 'turn.waiting'])
    const turnId = first.find(({ frame }) => frame.event)?.frame.event?.turnId ?? ''
    const path = `/v1/sessions/${id}/turns/${turnId}`
    expect(typesOf(await readEvents(await call('GET', path, { headers: sse })))).toEqual(typesOf(first))
    const [pending] = (await getSession(id)).pendingApprovals
    await answer(id, pending?.id ?? '', { decision: 'allow' })
    const headers = { ...sse, 'last-event-id': String(first.findLast(({ id: seq }) => seq !== null)?.id) }
    const rest = typesOf(await readEvents(await call('GET', path, { headers })))
    expect([rest[0], rest.at(-1)]).toEqual(['approval.resolved', 'turn.completed'])
    const whole = typesOf(await readEvents(await call('GET', path, { headers: sse })))
    expect(whole).toEqual([...typesOf(first), ...rest])
  })
})
