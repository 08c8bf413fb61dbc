/** Budgets of a turn: a spent one ends it with its own finish reason, and nothing that was said or given is lost. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CallVerdict } from '../../src/core/command.ts'
import { budgetFinishReasons, type Budgets } from '../../src/protocol/policy.ts'
import type { Part } from '../../src/protocol/message.ts'
import { moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { busySession, turnCost, typesOf } from './session-driver.ts'

const run: CallVerdict = { type: 'run', idempotent: true }
const said: Part[] = [{ type: 'text', text: 'So far' }]
/** What one step of the driver takes, in and out. */
const stepTokens = 12

describe('a spent budget', () => {
  test.each<[string, Budgets, string]>([
    ['steps', { steps: 1 }, 'step-limit'],
    ['tokens', { tokens: stepTokens }, 'token-limit'],
    ['seconds', { seconds: turnCost.activeMs / 1000 }, 'time-limit'],
  ])('[AGT4] of %s ends a turn that would go on with %j as %s, and runs none of the calls', (_name, budgets, finishReason) => {
    const driver = busySession()
    const { events } = driver.perform(driver.callTools([run, run], { budgets }))
    expect(events).toMatchObject([
      { type: 'message.completed', message: { finishReason: 'tool-calls' } },
      { type: 'turn.completed', finishReason, usage: { inputTokens: 7, outputTokens: 5 } },
    ])
    expect(driver.eventsOf('tool.started')).toEqual([])
  })

  test.each<Budgets>([{ steps: 2 }, { tokens: stepTokens + 1 }, { seconds: turnCost.activeMs / 1000 + 1 }, {}])(
    '[AGT4] that is not reached lets it go on: %j',
    (budgets) => {
      const driver = busySession()
      driver.perform(driver.callTools([run], { budgets }))
      expect(driver.state.active).toMatchObject({ status: 'running', steps: 1, calls: [{ status: 'started' }] })
    },
  )

  test('[AGT4] takes nothing from a turn that is complete: its finish reason is the agent’s', () => {
    const driver = busySession()
    const { events } = driver.perform(driver.finishStep({ budgets: { steps: 1, tokens: 1, seconds: 1 } }))
    expect(events.at(-1)).toMatchObject({ type: 'turn.completed', finishReason: 'stop' })
  })

  test('[AGT4] counts all steps of the turn, recoveries and waits included', () => {
    const driver = busySession()
    const ask: CallVerdict = { type: 'ask', idempotent: true, inputHash: 'hash', expiresInMs: 1000 }
    driver.perform(driver.callTools([ask], { budgets: { steps: 2 } }))
    driver.perform(driver.answer())
    driver.perform(driver.recover())
    driver.perform(driver.finishTool())
    expect(driver.perform(driver.callTools([run], { budgets: { steps: 2 } })).events.at(-1)).toMatchObject({ finishReason: 'step-limit' })
  })

  test('[AGT4] lets a steered input that the last step did not know be a turn of its own, which starts', () => {
    const driver = busySession()
    const contextSeq = driver.state.head
    driver.perform(driver.submit({ whenBusy: 'steer' }))
    const { events } = driver.perform(driver.finishStep({ contextSeq, budgets: { steps: 1 } }))
    expect(typesOf({ events })).toEqual(['message.completed', 'turn.completed', 'turn.queued', 'turn.started'])
    expect(events[1]).toMatchObject({ finishReason: 'step-limit' })
  })

  test('[AGT4] of time ends a step in mid-stream and keeps what it has said', () => {
    const driver = busySession()
    const { events } = driver.perform(driver.stop(said))
    expect(events).toMatchObject([
      { type: 'message.completed', message: { parts: said, finishReason: 'time-limit' } },
      { type: 'turn.completed', finishReason: 'time-limit' },
    ])
  })

  test('[AGT4] of time ends tools in mid-run, and asks nobody any more', () => {
    const driver = busySession()
    driver.perform(driver.callTools([run, { type: 'ask', idempotent: true, inputHash: 'hash', expiresInMs: 1000 }]))
    expect(typesOf(driver.perform(driver.stop()))).toEqual(['approval.resolved', 'turn.completed'])
    expect(driver.eventsOf('approval.resolved')).toMatchObject([{ approval: { status: 'withdrawn' } }])
  })

  test('[AGT4] is the only reason to complete a turn whose last message calls tools, or that has an input unheard', () => {
    const reasons: string[] = Object.values(budgetFinishReasons)
    fc.assert(
      fc.property(moves, (history) => {
        for (const { command, events, before } of sessionAfter(history).history) {
          const end = events.find((event) => event.type === 'turn.completed')
          if (!end || command.type !== 'finishStep') continue
          const unheard = before?.active?.steers.some(({ seq }) => seq > command.contextSeq)
          const isCut = command.calls.length > 0 || unheard || !command.final
          expect(reasons.includes(end.finishReason)).toBe(isCut)
        }
      }),
      { numRuns: 300 },
    )
  })
})
