/** Approvals that nobody gave: their time was over, or their turn; and people who may not give them. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../../src/protocol/access.ts'
import { tokenOf } from '../edge/edge-client.ts'
import { answer, approvalsOf, lastWords, payingAgent, soleApproval, whenWaiting } from './approval-client.ts'
import { crash, evict, operator, storedIn, stubOf } from './object-probe.ts'
import { resultsIn } from './scripted-agent.ts'
import { cancel, eventually, getContext, getTurn, newSession, statusOf, submit, whenIdle } from './session-client.ts'
import { attach } from './socket-client.ts'

describe('time', () => {
  const shortly = { approvalExpiresInSeconds: 3 }

  it('[APR3] that is over denies: the alarm wakes the object by itself, and the turn goes on', async () => {
    const { agent, paid } = payingAgent([{}, {}])
    const id = await newSession({ agent, settings: shortly })
    const client = await (await attach(id, 0)).ready()
    const { turn } = await submit(id, 'pay')
    const { pendingApprovals } = await whenWaiting(id, 2)
    expect(pendingApprovals.map(({ requestedAt, expiresAt }) => expiresAt - requestedAt)).toEqual([3000, 3000])
    await evict(stubOf(id))
    // No request comes to its help, and the lease of the last commit is half a minute away.
    await client.until(({ events }) => events.some(({ type }) => type === 'turn.completed'), 15_000)
    expect(paid).toEqual([])
    expect((await approvalsOf(id, '?status=expired')).items).toHaveLength(2)
    expect((await approvalsOf(id)).items[0]).toMatchObject({ status: 'expired', resolvedBy: { kind: 'system' } })
    expect(await lastWords(id, turn.id)).toBe('pay failed: Not allowed: nobody answered in time.\n'.repeat(2).trimEnd())
  })

  it('[APR3] that is over is not up to the alarm: an answer that comes later is too late, and says so', async () => {
    const { agent, paid } = payingAgent([{}], shortly)
    const id = await newSession({ agent })
    await submit(id, 'pay')
    const approval = await soleApproval(id)
    await runInDurableObject(stubOf(id), (_, { storage }) => storage.deleteAlarm())
    await eventually(
      async () => Date.now(),
      (now) => now >= approval.expiresAt,
    )
    const late = await answer(id, approval.id, { decision: 'allow' })
    expect(late).toMatchObject({ ok: false, error: { code: 'approval_resolved', approval: { status: 'expired' } } })
    await whenIdle(id)
    expect(paid).toEqual([])
  })

  it('[APR3] is kept by the alarm: one that fires too early changes nothing, and is set again', async () => {
    const { agent } = payingAgent([{}])
    const id = await newSession({ agent, settings: { approvalExpiresInSeconds: 100 } })
    await submit(id, 'pay')
    const first = await soleApproval(id)
    await runDurableObjectAlarm(stubOf(id))
    expect((await storedIn(stubOf(id))).alarm).toBe(first.expiresAt)
    await runDurableObjectAlarm(stubOf(id))
    expect(await soleApproval(id)).toEqual(first)
    expect((await storedIn(stubOf(id))).alarm).toBe(first.expiresAt)
  })
})

describe('the end of a turn that waits', () => {
  it.each(['cancel', 'interrupt'] as const)('[APR2] by %s withdraws what it asked, and a later answer learns so', async (how) => {
    const { agent, paid } = payingAgent([{ n: 1 }, { n: 2 }])
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'pay')
    const { pendingApprovals } = await whenWaiting(id, 2)
    if (how === 'cancel') await cancel(id, turn.id)
    else await submit(id, 'else', 'interrupt')
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'cancelled' })
    for (const approval of pendingApprovals) {
      const late = await answer(id, approval.id, { decision: 'allow' })
      expect(late).toMatchObject({ ok: false, error: { code: 'approval_resolved', approval: { status: 'withdrawn', id: approval.id } } })
    }
    expect((await approvalsOf(id, '?status=withdrawn')).items.map((approval) => approval.id).toSorted()).toEqual(
      pendingApprovals.map((approval) => approval.id).toSorted(),
    )
    expect(paid).toEqual([])
    const { messages } = await getContext(id)
    const ofTurn = messages.filter(({ turnId }) => turnId === turn.id)
    expect(resultsIn(ofTurn)).toMatchObject([{ isError: true }, { isError: true }])
  })

  it('[ERA1] by erasing leaves nothing to answer, not even after the alarm', async () => {
    const { agent, paid } = payingAgent([{}])
    const id = await newSession({ agent })
    const client = await (await attach(id, 0)).ready()
    await submit(id, 'pay')
    const approval = await soleApproval(id)
    expect(await statusOf('DELETE', `/v1/sessions/${id}`)).toBe(204)
    expect(await client.closed()).toBe(4410)
    for (const wake of [() => Promise.resolve(), () => crash(stubOf(id))]) {
      await wake()
      expect(await answer(id, approval.id, { decision: 'allow' })).toMatchObject({ ok: false, error: { code: 'not_found' } })
      await runDurableObjectAlarm(stubOf(id))
    }
    expect(paid).toEqual([])
    expect(Object.keys((await storedIn(stubOf(id))).tables)).toEqual(['slots'])
  })
})

describe('who may answer', () => {
  const tokenPrincipal = (sessionId: string, access: 'read' | 'write' | 'approve'): Principal => {
    return { kind: 'token', id: 'tok_1', tenant: 'default', sessionId, access, epoch: 0, expiresAt: Date.now() + 60_000 }
  }

  it('[SEC2] tokens to read or write may not, over a socket or past it; a token to approve may, and is named', async () => {
    const { agent, paid } = payingAgent([{}])
    const id = await newSession({ agent })
    await submit(id, 'pay')
    const { id: approvalId } = await soleApproval(id)
    for (const access of ['read', 'write'] as const) {
      const refused = { ok: false, error: { code: 'forbidden' } }
      expect(await answer(id, approvalId, { decision: 'allow' }, tokenPrincipal(id, access))).toMatchObject(refused)
      const client = await (await attach(id, 'head', await tokenOf({ sessionId: id, access }))).ready()
      expect(await client.ask({ id: 1, type: 'approve', approvalId, decision: 'allow' })).toMatchObject(refused)
    }
    expect(paid).toEqual([])
    const client = await (await attach(id, 'head', await tokenOf({ sessionId: id, access: 'approve' }))).ready()
    const allowed = await client.ask({ id: 1, type: 'approve', approvalId, decision: 'allow' })
    expect(allowed).toMatchObject({ ok: true, result: { status: 'allowed', resolvedBy: { kind: 'token' } } })
    await whenIdle(id)
    expect(paid).toHaveLength(1)
  })

  it('[SEC2] a token of another session may not, nor one that has expired', async () => {
    const { agent } = payingAgent([{}])
    const [id, other] = [await newSession({ agent }), await newSession()]
    await submit(id, 'pay')
    const { id: approvalId } = await soleApproval(id)
    const foreign = await answer(id, approvalId, { decision: 'allow' }, tokenPrincipal(other, 'approve'))
    expect(foreign).toMatchObject({ ok: false, error: { code: 'forbidden' } })
    const expired = { ...tokenPrincipal(id, 'approve'), expiresAt: Date.now() - 1 }
    expect(await answer(id, approvalId, { decision: 'allow' }, expired)).toMatchObject({ ok: false, error: { code: 'unauthorized' } })
    expect(await answer(id, approvalId, { decision: 'allow' }, operator)).toMatchObject({ ok: true })
  })
})
