/** Commands other than submissions: create, update, revoke, cancel, finish and recover, one by one. */
import { describe, expect, test } from 'vitest'
import { decide, maxFruitlessAttempts } from '../../src/core/decide.ts'
import type { Part } from '../../src/protocol/message.ts'
import { ada, bob, busySession, newSession, sessionId, SessionDriver, typesOf } from './session-driver.ts'

const said: Part[] = [{ type: 'text', text: 'So far' }]

describe('the session itself', () => {
  test('[LOG1] a session begins with its creation at seq 1, and nothing else can begin it', () => {
    const driver = new SessionDriver()
    expect(driver.perform({ type: 'revokeTokens', by: ada }).decision).toMatchObject({ ok: false, error: { code: 'not_found' } })
    const profile = { agent: 'demo', title: 'Talk', tags: ['red'], metadata: { a: 1 }, settings: { retentionDays: 3 } }
    driver.perform({ type: 'createSession', by: ada, sessionId, profile, window: 500 })
    expect(driver.events).toEqual([{ seq: 1, at: driver.now, type: 'session.created', by: ada, sessionId, ...profile, window: 500 }])
    expect(driver.state).toMatchObject({ title: 'Talk', tags: ['red'], metadataSeq: 1, instructionsSeq: null, model: null, boundarySeq: 1 })
  })

  test('[TRN6] creating a session that exists is a conflict', () => {
    const driver = newSession()
    expect(driver.perform(driver.create()).decision).toMatchObject({ ok: false, error: { code: 'idempotency_conflict' } })
  })

  test('[LOG3] what a patch leaves out stays, null clears, and metadata and instructions are known by their seq', () => {
    const driver = newSession()
    driver.perform({
      type: 'updateSession',
      by: bob,
      patch: { title: 'Talk', model: 'large', tags: ['red'], instructions: 'Be brief.' },
      window: null,
    })
    driver.perform({ type: 'updateSession', by: bob, patch: { title: null, archived: true, metadata: {} }, window: null })
    expect(driver.state).toMatchObject({ title: null, model: 'large', tags: ['red'], archived: true, instructionsSeq: 2, metadataSeq: 3 })
    expect(driver.events.map((event) => 'window' in event)).toEqual([true, false, false])
  })

  test('[LOG3] a patch that names another agent brings its window', () => {
    const driver = newSession()
    driver.perform({ type: 'updateSession', by: ada, patch: { agent: 'other' }, window: 9000 })
    expect([driver.state.agent, driver.state.context.window]).toEqual(['other', 9000])
  })

  test('[LOG1] an empty patch is fulfilled already: it makes no event', () => {
    const driver = newSession()
    const { decision } = driver.perform({ type: 'updateSession', by: ada, patch: {}, window: null })
    expect(decision).toMatchObject({ ok: true, events: [], receipt: { seq: 1 } })
  })

  test('[SEC2] each revocation begins a new epoch for session tokens', () => {
    const driver = newSession()
    const epochs = [driver.state.tokenEpoch]
    for (let i = 0; i < 2; i++) {
      driver.perform({ type: 'revokeTokens', by: ada })
      epochs.push(driver.state.tokenEpoch)
    }
    expect(epochs).toEqual([0, 2, 3])
  })
})

describe('cancel', () => {
  test('[TRN3] the running turn ends as cancelled, with what was said, and the next one starts', () => {
    const driver = busySession()
    driver.perform(driver.submit())
    const { turnId = '', startedAt } = driver.state.active ?? {}
    const { events, decision } = driver.perform(driver.cancel(turnId, said))
    expect(events).toMatchObject([
      { type: 'message.completed', message: { role: 'assistant', parts: said, finishReason: 'cancelled' } },
      { type: 'turn.cancelled', turnId, by: ada, startedAt, attempt: 1 },
      { type: 'turn.started' },
    ])
    expect(decision).toMatchObject({ receipt: { turnId } })
  })

  test('[TRN3] nothing said leaves no message', () => {
    const driver = busySession()
    expect(typesOf(driver.perform(driver.cancel(driver.state.active?.turnId ?? '', [])))).toEqual(['turn.cancelled'])
  })

  test('[TRN2] a queued turn is withdrawn without having started', () => {
    const driver = busySession()
    const { decision } = driver.perform(driver.submit())
    const turnId = decision.ok ? (decision.receipt.turnId ?? '') : ''
    expect(driver.perform(driver.cancel(turnId)).events).toMatchObject([
      { type: 'turn.cancelled', turnId, startedAt: null, attempt: 0, queuedSeq: 4 },
    ])
    expect(driver.state.queue).toEqual([])
  })

  test('[TRN3] a turn that is cancelled already is fulfilled, one that ended otherwise is refused, one that never was is unknown', () => {
    const driver = busySession()
    const { turnId = '' } = driver.state.active ?? {}
    driver.perform(driver.cancel(turnId))
    expect(driver.perform(driver.cancel(turnId)).decision).toMatchObject({
      ok: true,
      events: [],
      receipt: { seq: driver.state.head, turnId },
    })
    for (const past of ['completed', 'failed', 'interrupted'] as const) {
      const command = { ...driver.cancel(turnId), past }
      expect(decide(driver.state, command, driver.now)).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
    }
    expect(driver.perform(driver.cancel('trn_ZZZZZZZZZZ0000000000000000')).decision).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    })
  })
})

describe('steps and recoveries', () => {
  test('[TRN4] a step that is not the last leaves the turn running under the same generation', () => {
    const driver = busySession()
    const { generation } = driver.state.active ?? {}
    expect(typesOf(driver.perform(driver.finishStep({ final: false })))).toEqual(['message.completed'])
    expect(driver.state.active).toMatchObject({ generation, steps: 1, usage: { inputTokens: 7, outputTokens: 5 } })
  })

  test('[TRN3] a turn that failed keeps its error', () => {
    const driver = busySession()
    const error = { code: 'agent_unavailable' as const, message: 'It is away.', retryable: true }
    const { generation = 0 } = driver.state.active ?? {}
    const { events } = driver.perform({ type: 'failTurn', generation, error, report: driver.report(said) })
    expect(events).toMatchObject([
      { type: 'message.completed', message: { finishReason: 'error' } },
      { type: 'turn.failed', error },
    ])
  })

  test('[TRN4] a recovery lets a new generation speak and voids the message of the old one', () => {
    const driver = busySession()
    const { turnId } = driver.state.active ?? {}
    driver.perform(driver.finishStep({ final: false }))
    const voided = 'msg_00000030020123456789ABCDEF'
    const { events } = driver.perform(driver.recover(said))
    expect(events).toMatchObject([{ seq: 5, type: 'turn.resumed', turnId, attempt: 2, reason: 'recovery', supersedes: voided }])
    expect(driver.state.active).toMatchObject({ generation: 5, attempt: 2, fruitlessAttempts: 1, steps: 1 })
    driver.perform(driver.finishStep({}))
    expect(driver.eventsOf('message.completed').map(({ message }) => message.id)).not.toContain(voided)
  })

  test('[TRN4] three recoveries without a durable step are the most; the next ends the turn as interrupted', () => {
    const driver = busySession()
    const types = Array.from({ length: 4 }, () => typesOf(driver.perform(driver.recover(said))))
    expect(types).toEqual([
      ...Array.from({ length: maxFruitlessAttempts }, () => ['turn.resumed']),
      ['message.completed', 'turn.interrupted'],
    ])
    expect(maxFruitlessAttempts).toBe(3)
  })

  test('[TRN4] a durable step is progress: the count begins again, the attempts go on', () => {
    const driver = busySession()
    for (let step = 0; step < 5; step++) {
      for (let i = 0; i < maxFruitlessAttempts; i++) expect(typesOf(driver.perform(driver.recover()))).toEqual(['turn.resumed'])
      driver.perform(driver.finishStep({ final: false }))
      expect(driver.state.active?.fruitlessAttempts).toBe(0)
    }
    expect(driver.state.active?.attempt).toBe(1 + 5 * maxFruitlessAttempts)
  })

  test('[TRN4] an agent whose turns do not resume has them interrupted, and the next one starts', () => {
    const driver = newSession()
    driver.recovery = 'interrupt'
    for (let turn = 0; turn < 2; turn++) driver.perform(driver.submit())
    expect(typesOf(driver.perform(driver.recover(said)))).toEqual(['message.completed', 'turn.interrupted', 'turn.started'])
  })

  test('[AGT3] a model call that was cut is made again under a new generation, which voids its message', () => {
    const driver = busySession()
    const { turnId } = driver.state.active ?? {}
    const { events } = driver.perform(driver.retry(said))
    const voided = 'msg_00000030010123456789ABCDEF'
    expect(events).toMatchObject([{ seq: 4, type: 'turn.resumed', turnId, attempt: 2, reason: 'retry', supersedes: voided }])
    expect(events).toHaveLength(1)
    expect(driver.state.active).toMatchObject({ generation: 4, attempt: 2, fruitlessAttempts: 1 })
  })

  test('[AGT3] a model call that is cut again and again fails its turn, with its last error and what it last said', () => {
    const driver = busySession()
    driver.perform(driver.submit())
    for (let i = 0; i < maxFruitlessAttempts; i++) driver.perform(i % 2 ? driver.recover() : driver.retry())
    const command = driver.retry(said)
    expect(driver.perform(command).events).toMatchObject([
      { type: 'message.completed', message: { parts: said, finishReason: 'error' } },
      { type: 'turn.failed', error: command.error, attempt: 4 },
      { type: 'turn.started' },
    ])
  })

  test('[AGT1] a turn keeps to the version of the agent that its first step had', () => {
    const driver = busySession()
    expect(driver.state.active?.agentVersion).toBeNull()
    for (const agentVersion of ['3', '4']) driver.perform(driver.finishStep({ agentVersion, final: false }))
    expect(driver.state.active?.agentVersion).toBe('3')
    expect(driver.eventsOf('message.completed').map(({ message }) => message.agentVersion)).toEqual(['3', '4'])
    driver.perform(driver.finishStep())
    driver.perform(driver.submit())
    expect(driver.state.active?.agentVersion).toBeNull()
  })

  test('[AGT1] the window of the model that answered is the session’s from then on, and told where it changed', () => {
    const driver = busySession()
    const windows = [200, 9000, 9000].map((window) => {
      const [event] = driver.perform(driver.finishStep({ window, final: false })).events
      return event?.type === 'message.completed' ? event.window : null
    })
    expect([windows, driver.state.context.window]).toEqual([[undefined, 9000, undefined], 9000])
  })

  test('[TRN4] there is nothing to recover while no turn runs', () => {
    const driver = newSession()
    expect(driver.perform(driver.recover()).decision).toMatchObject({ ok: false, error: { code: 'turn_finished' } })
  })
})
