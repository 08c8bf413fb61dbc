/** Approvals: durable while they wait, ended once, by the first who answers or by time, and never outliving their turn. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CallVerdict } from '../../src/core/command.ts'
import { nextApprovalExpiry, pendingEffects } from '../../src/core/pending-effects.ts'
import { isTerminal } from '../../src/protocol/event.ts'
import { jsonBytes, limits } from '../../src/protocol/limits.ts'
import { moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { ada, bob, busySession, typesOf, turnCost, type SessionDriver } from './session-driver.ts'

const run: CallVerdict = { type: 'run', idempotent: false }
const ask: CallVerdict = { type: 'ask', idempotent: false, inputHash: 'hash', expiresInMs: 1000 }
const askLonger: CallVerdict = { ...ask, expiresInMs: 5000 }

/** A turn whose first step has made these calls. */
function askedSession(verdicts: CallVerdict[]): SessionDriver {
  const driver = busySession()
  driver.perform(driver.callTools(verdicts))
  return driver
}

describe('whatever happens', () => {
  test('[APR2] an approval ends at most once, and the log holds what was asked and how it ended', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const ended = driver.eventsOf('approval.resolved').map(({ approval }) => approval)
        expect(new Set(ended.map(({ id }) => id)).size).toBe(ended.length)
        const asked = new Map(driver.eventsOf('approval.requested').map(({ approval }) => [approval.id, approval]))
        for (const { status, resolvedBy, resolvedAt, reason, ...question } of ended) {
          expect(status).not.toBe('pending')
          const open = { status: 'pending', resolvedBy: null, resolvedAt: null, reason: null }
          expect(asked.get(question.id)).toEqual({ ...question, ...open })
          expect(resolvedBy === null || resolvedAt === null).toBe(false)
          if (reason !== null) expect(['allowed', 'denied']).toContain(status)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[APR1] those that the state holds are those that the log has not ended, and they are gone with their turn', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const ended = new Set(driver.eventsOf('approval.resolved').map(({ approval }) => approval.id))
        const open = driver.eventsOf('approval.requested').filter(({ approval }) => !ended.has(approval.id))
        const held = driver.state.active?.calls.flatMap(({ status, approval }) => (status === 'asked' && approval ? [approval] : [])) ?? []
        expect(held).toEqual(open.map(({ seq, approval: { id, expiresAt } }) => ({ id, requestedSeq: seq, expiresAt })))
        const over = new Set(driver.events.filter(isTerminal).map(({ turnId }) => turnId))
        expect(open.filter(({ turnId }) => over.has(turnId))).toEqual([])
        expect(nextApprovalExpiry(driver.state)).toBe(held.length > 0 ? Math.min(...held.map(({ expiresAt }) => expiresAt)) : null)
      }),
      { numRuns: 300 },
    )
  })

  test('[APR3] one that is expired when its time is over, and not before; nobody can answer it any more', () => {
    fc.assert(
      fc.property(moves, (history) => {
        for (const { approval, at } of sessionAfter(history).eventsOf('approval.resolved')) {
          if (approval.status === 'expired') expect(at).toBeGreaterThanOrEqual(approval.expiresAt)
          if (approval.status === 'allowed' || approval.status === 'denied') expect(at).toBeLessThan(approval.expiresAt)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[APR2] whoever answers is told the truth: accepted means that this decision stands', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        for (const { command, decision } of driver.history) {
          if (command.type !== 'answerApproval') continue
          const final = driver.approvalOf(command.approvalId)
          if (decision.ok) expect(final?.status).toBe(command.decision === 'allow' ? 'allowed' : 'denied')
          else expect(decision.error.code).toBe(final ? 'approval_resolved' : 'not_found')
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('waiting', () => {
  test('[APR1] begins when nothing else of the turn runs, and then nothing at all goes on', () => {
    const driver = askedSession([run, ask])
    expect(driver.state.active?.status).toBe('running')
    const { events } = driver.perform(driver.finishTool(0))
    const approvalId = driver.openCall(0).approval?.id
    expect(events).toMatchObject([{ type: 'message.completed' }, { type: 'turn.waiting', approvalIds: [approvalId], usage: turnCost }])
    expect([driver.state.active?.status, pendingEffects(driver.state)]).toEqual(['waiting', []])
    expect(driver.state.active?.costBeforeWait).toEqual(turnCost)
  })

  test('[APR1] an allow starts the call in its commit, under a new generation of the same attempt', () => {
    const driver = askedSession([ask])
    const { events, decision } = driver.perform(driver.answer(0, { by: bob, reason: 'Fine' }))
    const { turnId = '', generation = 0 } = driver.state.active ?? {}
    expect(events).toMatchObject([
      { type: 'approval.resolved', by: bob, approval: { status: 'allowed', resolvedBy: bob, resolvedAt: driver.now, reason: 'Fine' } },
      { type: 'turn.resumed', reason: 'approval', attempt: 1 },
      { type: 'tool.started', toolName: 'tool0' },
    ])
    expect(decision).toMatchObject({ receipt: { seq: events[0]?.seq, turnId } })
    expect(pendingEffects(driver.state)).toEqual([{ type: 'runTool', turnId, generation, toolCallId: driver.openCall(0).toolCallId }])
    expect([generation, driver.state.active?.fruitlessAttempts]).toEqual([events[1]?.seq, 0])
  })

  test('[APR1] a denial tells the model why, and the turn goes on when nobody is left to ask', () => {
    const driver = askedSession([ask, ask])
    const first = driver.perform(driver.answer(0, { decision: 'deny', reason: 'Too dear' })).events
    expect(first).toMatchObject([
      { type: 'approval.resolved', approval: { status: 'denied' } },
      { type: 'message.completed', message: { role: 'tool', parts: [{ isError: true, output: expect.stringContaining('Too dear') }] } },
    ])
    expect(driver.state.active?.status).toBe('waiting')
    const last = driver.perform(driver.answer(0, { decision: 'deny' }))
    expect(typesOf(last)).toEqual(['approval.resolved', 'turn.resumed', 'message.completed'])
    expect(pendingEffects(driver.state)).toMatchObject([{ type: 'runStep', step: 2 }])
  })

  test('[APR1] goes on after one of several was allowed and has run', () => {
    const driver = askedSession([ask, ask])
    driver.perform(driver.answer(1))
    expect(typesOf(driver.perform(driver.finishTool(1)))).toEqual(['message.completed', 'turn.waiting'])
    expect(driver.state.active?.calls).toMatchObject([{ toolName: 'tool0', status: 'asked' }])
  })

  test('[APR1] an answer while another tool runs starts the call beside it', () => {
    const driver = askedSession([run, ask])
    expect(typesOf(driver.perform(driver.answer(1)))).toEqual(['approval.resolved', 'tool.started'])
    expect(pendingEffects(driver.state)).toHaveLength(2)
  })

  test('[TRN9] an input that is steered into a turn that waits is taken up by its next step', () => {
    const driver = askedSession([ask])
    driver.perform(driver.submit({ whenBusy: 'steer' }))
    driver.perform(driver.answer(0, { decision: 'deny' }))
    expect(typesOf(driver.perform(driver.finishStep()))).toEqual(['message.completed', 'message.completed', 'turn.completed'])
  })
})

describe('who is first', () => {
  test('[APR2] the same answer again is no error and has no effect; another one learns who won', () => {
    const driver = askedSession([ask])
    driver.perform(driver.answer(0, { by: bob }))
    const approvalId = driver.eventsOf('approval.requested')[0]?.approval.id ?? ''
    const again = driver.perform(driver.answer(0, { approvalId }))
    expect([again.decision.ok, again.events]).toEqual([true, []])
    expect(driver.perform(driver.answer(0, { approvalId, decision: 'deny' })).decision).toMatchObject({
      ok: false,
      error: { code: 'approval_resolved', approval: { id: approvalId, status: 'allowed', resolvedBy: bob } },
    })
  })

  test('[APR2] an approval that never was is not found', () => {
    const driver = askedSession([ask])
    const approvalId = 'apr_ZZZZZZZZZZ0123456789ABCDEF'
    expect(driver.perform(driver.answer(0, { approvalId })).decision).toMatchObject({ ok: false, error: { code: 'not_found' } })
    expect(driver.state.active?.status).toBe('waiting')
  })

  test('[APR2] cancelling the turn withdraws what is pending, in the name of who cancelled', () => {
    const driver = askedSession([ask, ask])
    const command = { ...driver.cancel(driver.state.active?.turnId ?? ''), by: bob }
    expect(typesOf(driver.perform(command))).toEqual(['approval.resolved', 'approval.resolved', 'turn.cancelled'])
    const ended = driver.eventsOf('approval.resolved').map(({ approval }) => approval)
    expect(ended).toMatchObject([1, 2].map(() => ({ status: 'withdrawn', resolvedBy: bob })))
    const late = driver.answer(0, { approvalId: ended[0]?.id ?? '' })
    expect(driver.perform(late).decision).toMatchObject({ error: { code: 'approval_resolved', approval: { status: 'withdrawn' } } })
  })

  test('[APR2] an interrupting turn withdraws what is pending and runs', () => {
    const driver = askedSession([ask])
    const { events } = driver.perform(driver.submit({ whenBusy: 'interrupt' }))
    expect(typesOf({ events })).toEqual(['approval.resolved', 'turn.cancelled', 'turn.queued', 'turn.started'])
  })
})

describe('expiry', () => {
  test('[APR3] denies what nobody answered in time, and only that', () => {
    const driver = askedSession([ask, askLonger])
    driver.now += 1000
    const { events } = driver.perform(driver.expire())
    expect(events).toMatchObject([
      { type: 'approval.resolved', by: { kind: 'system' }, approval: { toolName: 'tool0', status: 'expired' } },
      { type: 'message.completed', message: { parts: [{ isError: true, output: expect.stringContaining('nobody answered') }] } },
    ])
    expect(driver.state.active).toMatchObject({ status: 'waiting', calls: [{ toolName: 'tool1' }] })
    expect(nextApprovalExpiry(driver.state)).toBe(driver.now + 4000)
  })

  test('[APR3] of all at once lets the turn go on in one commit', () => {
    const driver = askedSession([ask, ask])
    driver.now += 1000
    const ended = ['approval.resolved', 'message.completed', 'approval.resolved', 'turn.resumed', 'message.completed']
    expect(typesOf(driver.perform(driver.expire()))).toEqual(ended)
    expect(pendingEffects(driver.state)).toMatchObject([{ type: 'runStep', step: 2 }])
  })

  test('[APR3] a millisecond before it nothing expires, and nothing is stored', () => {
    const driver = askedSession([ask])
    driver.now += 999
    expect(driver.perform(driver.expire()).events).toEqual([])
    driver.now += 1
    expect(driver.perform(driver.answer(0)).decision).toMatchObject({ ok: false, error: { code: 'approval_resolved' } })
    expect(driver.perform(driver.expire()).events).toHaveLength(3)
    const approvalId = driver.eventsOf('approval.requested')[0]?.approval.id ?? ''
    for (const decision of ['allow', 'deny'] as const) {
      expect(driver.perform(driver.answer(0, { approvalId, decision })).decision).toMatchObject({
        error: { code: 'approval_resolved', approval: { status: 'expired' } },
      })
    }
  })

  test('[APR3] while another tool runs does not end the turn’s running', () => {
    const driver = askedSession([run, ask])
    driver.now += 1000
    expect(typesOf(driver.perform(driver.expire()))).toEqual(['approval.resolved', 'message.completed'])
    expect(driver.state.active).toMatchObject({ status: 'running', calls: [{ toolName: 'tool0' }] })
  })

  test('[APR3] does nothing to a session in which nobody is asked', () => {
    const driver = busySession()
    expect(driver.perform(driver.expire())).toMatchObject({ decision: { ok: true }, events: [] })
    driver.perform(driver.finishStep())
    expect(driver.perform(driver.expire())).toMatchObject({ decision: { ok: true }, events: [] })
  })
})

describe('for the whole session', () => {
  const settingsOf = (driver: SessionDriver) => driver.state.settings
  const update = (driver: SessionDriver, settings: SessionDriver['state']['settings']) =>
    driver.perform({ type: 'updateSession', by: ada, patch: { settings }, window: null })

  test('[TOOL5] an allow adds the tool to the settings, once, and leaves the others as they are', () => {
    const driver = askedSession([ask, ask])
    update(driver, { allow: ['look'], retentionDays: 3 })
    const { events } = driver.perform(driver.answer(0, { by: bob, scope: 'session' }))
    expect(events[0]).toMatchObject({
      type: 'session.updated',
      by: bob,
      patch: { settings: { allow: ['look', 'tool0'], retentionDays: 3 } },
    })
    expect(settingsOf(driver)).toEqual({ allow: ['look', 'tool0'], retentionDays: 3 })
    update(driver, { allow: ['tool1'] })
    expect(typesOf(driver.perform(driver.answer(1, { scope: 'session' })))).toEqual(['approval.resolved', 'tool.started'])
  })

  test('[TOOL5] a denial changes no settings', () => {
    const driver = askedSession([ask])
    driver.perform(driver.answer(0, { decision: 'deny', scope: 'session' }))
    expect(settingsOf(driver)).toEqual({})
  })

  test('[SEC5] settings without room for one more tool refuse the answer and leave the question open; once is still possible', () => {
    const driver = askedSession([ask])
    const allow = ['x'.repeat(limits.settingsBytes - jsonBytes({ allow: [''] }))]
    update(driver, { allow })
    const { decision, events } = driver.perform(driver.answer(0, { scope: 'session' }))
    expect([decision, events]).toMatchObject([{ ok: false, error: { code: 'limit_exceeded' } }, []])
    expect([driver.state.active?.status, settingsOf(driver)]).toEqual(['waiting', { allow }])
    expect(driver.perform(driver.answer(0)).decision.ok).toBe(true)
  })
})
