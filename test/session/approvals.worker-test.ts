/** Tool calls that wait for a person: what outlives sleep and crashes, who wins, what is never run. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/protocol/limits.ts'
import { inputHashOf } from '../../src/session/verdicts.ts'
import { callJson } from '../edge/edge-client.ts'
import { answer, approvalsOf, lastWords, payingAgent, soleApproval, whenWaiting } from './approval-client.ts'
import { crash, evict, sqlIn, storedIn, stubOf } from './object-probe.ts'
import { calls, resultsIn, tellsResults, tool } from './scripted-agent.ts'
import {
  answerOf,
  eventually,
  everyEvent,
  getSession,
  getTurn,
  messagesIn,
  newSession,
  runTurn,
  submit,
  textOf,
  whenIdle,
} from './session-client.ts'
import { attach } from './socket-client.ts'

describe('a turn that waits', () => {
  it('[APR1] says so in its session, its list and its log, and holds no compute: nothing is under way', async () => {
    const { agent, paid } = payingAgent([{ sum: 1 }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const approval = await soleApproval(id)
    expect(approval).toMatchObject({ turnId: turn.id, toolName: 'pay', input: { sum: 1 }, status: 'pending', resolvedBy: null })
    expect(approval.expiresAt - approval.requestedAt).toBe(24 * 3600 * 1000)
    expect((await approvalsOf(id)).items).toEqual([approval])
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'waiting', position: 0 })
    const log = await everyEvent(id)
    expect(log.slice(3).map(({ type }) => type)).toEqual(['message.completed', 'approval.requested', 'turn.waiting'])
    expect(log.at(-1)).toMatchObject({ approvalIds: [approval.id] })
    // Eviction waits for whatever is under way.
    await evict(stubOf(id))
    expect(await getSession(id)).toMatchObject({ status: 'waiting', pendingApprovals: [approval] })
    expect(await everyEvent(id)).toEqual(log)
    expect(paid).toEqual([])
  })

  it('[APR1] outlives eviction with its sockets open and no alarm but its expiry; an answer wakes it and the turn goes on', async () => {
    const { agent, paid } = payingAgent([{ sum: 2 }])
    const id = await newSession({ agent })
    const client = await (await attach(id, 0)).ready()
    const { turn } = await submit(id, 'pay')
    const approval = await soleApproval(id)
    await evict(stubOf(id))
    // The lease of the last commit: it finds nothing to do.
    expect(await runDurableObjectAlarm(stubOf(id))).toBe(true)
    expect((await storedIn(stubOf(id))).alarm).toBe(approval.expiresAt)
    await evict(stubOf(id))
    expect(await client.ask({ id: 1, type: 'approve', approvalId: approval.id, decision: 'allow' })).toMatchObject({
      ok: true,
      result: { id: approval.id, status: 'allowed', resolvedBy: { kind: 'key' } },
    })
    await whenIdle(id)
    expect(paid).toEqual([{ sum: 2 }])
    expect(await lastWords(id, turn.id)).toBe('pay: paid {"sum":2}')
    const log = await everyEvent(id)
    await client.until(({ seqs }) => seqs.at(-1) === log.length)
    expect(client.events).toEqual(log)
    expect(client.readies).toHaveLength(1)
    expect(client.closeCode).toBeNull()
    expect(log.find(({ type }) => type === 'turn.resumed')).toMatchObject({ reason: 'approval', attempt: 1 })
  })

  it.each([
    ['while it waits', async (id: string) => crash(stubOf(id))],
    ['twice', async (id: string) => crash(stubOf(id)).then(() => crash(stubOf(id)))],
    ['and is woken by its alarm', async (id: string) => void (await crash(stubOf(id)), await runDurableObjectAlarm(stubOf(id)))],
  ])('[APR1] is not lost and not asked again when the object dies %s', async (_, die) => {
    const { agent, paid } = payingAgent([{ sum: 3 }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const approval = await soleApproval(id)
    await die(id)
    expect(await soleApproval(id)).toEqual(approval)
    expect((await answer(id, approval.id, { decision: 'allow' })).ok).toBe(true)
    await whenIdle(id)
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'completed', attempt: 1 })
    expect(paid).toEqual([{ sum: 3 }])
    expect((await everyEvent(id)).filter(({ type }) => type === 'approval.requested')).toHaveLength(1)
  })

  it('[APR1] shows a large input cut in the session, and whole in the list', async () => {
    const { agent } = payingAgent([{ for: 'x'.repeat(10_000) }])
    const id = await newSession({ agent })
    await submit(id, 'pay')
    const shown = await soleApproval(id)
    expect(String(shown.input)).toHaveLength(limits.approvalInputCharacters + 1)
    expect((await approvalsOf(id)).items).toEqual([{ ...shown, input: { for: 'x'.repeat(10_000) } }])
  })

  it('[TOOL5] is not run after all when a policy has come to deny it by the time it is allowed', async () => {
    const { agent, paid } = payingAgent([{ sum: 5 }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const approval = await soleApproval(id)
    const body = { settings: { policies: [{ tool: 'p*', action: 'deny' }] } }
    expect((await callJson('PATCH', `/v1/sessions/${id}`, { body })).response.status).toBe(200)
    expect((await answer(id, approval.id, { decision: 'allow' })).ok).toBe(true)
    await whenIdle(id)
    expect(paid).toEqual([])
    expect(await lastWords(id, turn.id)).toContain('a policy denies this tool')
  })

  it('[APR1] takes steered inputs, which the step behind the answer consumes, and lets others queue', async () => {
    const { agent } = payingAgent([{ sum: 4 }], {
      steps: [() => calls(['pay', {}]), ({ steered }) => calls(['pay', { steered: steered.map(textOf) }]), tellsResults],
    })
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const first = await soleApproval(id)
    const next = await submit(id, 'after that')
    expect((await submit(id, 'quickly', 'steer')).turn.id).toBe(turn.id)
    await evict(stubOf(id))
    await answer(id, first.id, { decision: 'deny' })
    const second = await eventually(
      () => soleApproval(id),
      (approval) => approval.id !== first.id,
    )
    expect(second.input).toEqual({ steered: ['quickly'] })
    await answer(id, second.id, { decision: 'allow' })
    await eventually(
      () => getTurn(id, turn.id),
      ({ status }) => status === 'completed',
    )
    expect((await getTurn(id, next.turn.id)).status).toBeOneOf(['running', 'waiting'])
  })
})

/** As the reply of a socket would be. */
async function answerOverHttp(id: string, approvalId: string, body: unknown) {
  const { response, json } = await callJson('POST', `/v1/sessions/${id}/approvals/${approvalId}`, { body })
  const { ok, status } = response
  return ok ? { ok, status, result: json } : { ok, status, error: json }
}

describe('answers', () => {
  it('[APR2] of two at once, over a socket and over HTTP, the first wins, the second learns who won, and its repeat is no error', async () => {
    for (const order of ['socket first', 'socket last', 'socket first', 'socket last']) {
      const { agent, paid } = payingAgent([{ order }])
      const id = await newSession({ agent })
      const client = await (await attach(id)).ready()
      await submit(id, 'pay')
      const { id: approvalId } = await soleApproval(id)
      const bySocket = () => client.ask({ id: 1, type: 'approve', approvalId, decision: 'allow' })
      const overHttp = () => answerOverHttp(id, approvalId, { decision: 'deny', reason: 'too dear' })
      const both = order === 'socket first' ? [bySocket(), overHttp()] : [overHttp(), bySocket()]
      const [won, lost] = (await Promise.all(both)).toSorted((a, b) => Number(b.ok) - Number(a.ok))
      const [winner] = (await approvalsOf(id)).items
      expect(winner?.status).toBeOneOf(['allowed', 'denied'])
      expect(won).toMatchObject({ ok: true })
      expect(lost).toMatchObject({ ok: false, error: { code: 'approval_resolved', retryable: false, approval: winner } })
      await whenIdle(id)
      expect(paid).toEqual(winner?.status === 'allowed' ? [{ order }] : [])
      const head = (await getSession(id)).head
      const decision = winner?.status === 'allowed' ? 'allow' : 'deny'
      expect(await answerOverHttp(id, approvalId, { decision })).toEqual({ ok: true, status: 200, result: winner })
      expect(await client.ask({ id: 2, type: 'approve', approvalId, decision })).toMatchObject({ ok: true, result: winner })
      await crash(stubOf(id))
      expect(await answer(id, approvalId, { decision })).toMatchObject({ ok: true, value: winner })
      expect((await getSession(id)).head).toBe(head)
    }
  })

  it('[APR2] to what was never asked are refused as not found, also under the seq of what was', async () => {
    const { agent } = payingAgent([{}])
    const id = await newSession({ agent })
    await submit(id, 'pay')
    const approval = await soleApproval(id)
    const forged = `${approval.id.slice(0, -1)}${approval.id.endsWith('0') ? '1' : '0'}`
    for (const approvalId of [forged, `apr_${'0'.repeat(26)}`, `apr_${'Z'.repeat(26)}`]) {
      expect(await answer(id, approvalId, { decision: 'allow' })).toMatchObject({ ok: false, error: { code: 'not_found' } })
    }
    expect(await soleApproval(id)).toEqual(approval)
  })

  it('[APR2] with no: the model is told, with the reason, and nothing runs', async () => {
    const { agent, paid } = payingAgent([{}])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    await answer(id, (await soleApproval(id)).id, { decision: 'deny', reason: 'not today' })
    await whenIdle(id)
    expect(await lastWords(id, turn.id)).toBe('pay failed: Not allowed: a person denied this call, saying: not today')
    expect((await approvalsOf(id, '?status=denied')).items).toMatchObject([{ reason: 'not today', resolvedBy: { id: 'operator' } }])
    expect((await everyEvent(id)).map(({ type }) => type)).not.toContain('tool.started')
    expect(paid).toEqual([])
  })

  it.each([
    [[0, 1, 2], 'allow'],
    [[2, 0, 1], 'allow'],
    [[1, 2, 0], 'deny'],
  ] as const)('[APR5] to several pending calls come in any order, %j, and each runs only behind its own', async (order, last) => {
    const { agent, paid } = payingAgent([{ n: 0 }, { n: 1 }, { n: 2 }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const { pendingApprovals } = await whenWaiting(id, 3)
    expect(pendingApprovals.map(({ input }) => input)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
    for (const [at, index] of order.entries()) {
      const decision = at === 2 ? last : at === 1 ? 'deny' : 'allow'
      expect(await answer(id, pendingApprovals[index]?.id ?? '', { decision })).toMatchObject({ ok: true })
      if (at === 2) break
      expect((await whenWaiting(id, 2 - at)).pendingApprovals.map((approval) => approval.input)).not.toContainEqual({ n: index })
      expect(paid).toEqual([{ n: order[0] }])
    }
    await whenIdle(id)
    expect(paid).toEqual(last === 'allow' ? [{ n: order[0] }, { n: order[2] }] : [{ n: order[0] }])
    const log = await everyEvent(id)
    expect(resultsIn(messagesIn(log))).toHaveLength(3)
    expect(log.filter(({ type }) => type === 'approval.resolved')).toHaveLength(3)
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'completed', usage: { inputTokens: 20 } })
  })

  it('[APR5] a call that needs none runs at once while another waits', async () => {
    const ran: unknown[] = []
    const { agent, paid } = payingAgent([], {
      tools: [tool('pay', { approval: 'always' }), tool('look', { run: async (input) => ({ output: ran.push(input) }) })],
      steps: [() => calls(['pay', {}], ['look', { at: 1 }]), tellsResults],
    })
    const id = await newSession({ agent })
    await submit(id, 'both')
    const approval = await soleApproval(id)
    expect([ran, paid]).toEqual([[{ at: 1 }], []])
    await answer(id, approval.id, { decision: 'deny' })
    await whenIdle(id)
    expect(ran).toHaveLength(1)
  })

  it('[APR4] are given to a hash of tool and arguments: what was changed in the log since does not run', async () => {
    const { agent, paid } = payingAgent([{ to: 'friend' }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const approval = await soleApproval(id)
    expect(approval.inputHash).toBe(inputHashOf('pay', { to: 'friend' }))
    for (const [name, input] of [
      ['pay', { to: 'thief' }],
      ['play', { to: 'friend' }],
      ['pay', null],
    ] as const) {
      expect(inputHashOf(name, input)).not.toBe(approval.inputHash)
    }
    await crash(stubOf(id))
    // Only in the message: what the person was shown stays.
    await sqlIn(stubOf(id), `update log set body = replace(body, '"input":{"to":"friend"}}]', '"input":{"to":"thief"}}]')`)
    await crash(stubOf(id))
    expect(await soleApproval(id)).toEqual(approval)
    await answer(id, approval.id, { decision: 'allow' })
    await whenIdle(id)
    expect(paid).toEqual([])
    expect(await lastWords(id, turn.id)).toBe('pay failed: Not run: its arguments are not those that were allowed.')
  })
})

describe('"for this session"', () => {
  it('[APR2] adds the tool to what the session allows, visibly; no question is asked then, until it is taken out again', async () => {
    const { agent, paid } = payingAgent([{ n: 1 }])
    const id = await newSession({ agent, settings: { budgets: { steps: 9 } } })
    await submit(id, 'pay')
    await answer(id, (await soleApproval(id)).id, { decision: 'allow', scope: 'session' })
    expect((await whenIdle(id)).settings).toEqual({ budgets: { steps: 9 }, allow: ['pay'] })
    expect((await everyEvent(id)).find(({ type }) => type === 'session.updated')).toMatchObject({
      by: { id: 'operator' },
      patch: { settings: { allow: ['pay'] } },
    })
    expect((await runTurn(id, 'again')).turn.status).toBe('completed')
    expect(paid).toHaveLength(2)
    await answerOf(200, 'PATCH', `/v1/sessions/${id}`, { body: { settings: {} } })
    await submit(id, 'once more')
    await soleApproval(id)
    expect(paid).toHaveLength(2)
  })

  it('[APR2] a no for the session allows nothing', async () => {
    const { agent } = payingAgent([{}])
    const id = await newSession({ agent })
    await submit(id, 'pay')
    await answer(id, (await soleApproval(id)).id, { decision: 'deny', scope: 'session' })
    expect((await whenIdle(id)).settings).toEqual({})
  })
})
