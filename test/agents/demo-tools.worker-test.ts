/** The demo agent in a session, with the tools that come with the server: what a newcomer sees of calls and approvals. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { answer, lastWords, soleApproval } from '../session/approval-client.ts'
import { crash, stubOf } from '../session/object-probe.ts'
import { resultsIn } from '../session/scripted-agent.ts'
import { everyEvent, getTurn, messagesIn, newSession, runTurn, submit, textOf, whenIdle } from '../session/session-client.ts'
import { attach } from '../session/socket-client.ts'

async function answerTo(input: string): Promise<string> {
  const { turn, messages } = await runTurn(await newSession({ agent: 'demo' }), input)
  expect(turn.status).toBe('completed')
  return textOf(messages.at(-1) ?? { parts: [] })
}

describe('/tool', () => {
  it('[DEM2] calls a tool, and tells what it answered or why it could not', async () => {
    expect(await answerTo('/tool calculate {"expression": "6 * 7"}')).toBe('`calculate` answered: 42')
    expect(await answerTo('/tool calculate {"expression": "1 / 0"}')).toMatch(/^`calculate` failed: /)
    expect(await answerTo('/tool calculate {"sum": "1"}')).toMatch(/^`calculate` failed: /)
    expect(await answerTo('/tool current_time')).toMatch(/^`current_time` answered: .*\d{4}/)
    expect(await answerTo('/tool no_such_tool {}')).toMatch(
      /^`no_such_tool` failed: There is no tool named no_such_tool\. Your tools are: /,
    )
    expect(await answerTo('/tool remember {"key": "colour", "text": "green"}')).toMatch(/^`remember` answered: .*green/)
  })

  it('[ATT2] shows its input while it is written', async () => {
    const id = await newSession({ agent: 'demo' })
    const client = await (await attach(id)).ready()
    await runTurn(id, '/tool calculate {"expression": "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9"}')
    const [message] = messagesIn(await everyEvent(id))
    await client.until(({ events }) => events.some(({ type }) => type === 'turn.completed'))
    const deltas = client.frames.filter((frame) => frame.type === 'delta' && frame.kind === 'tool-input')
    expect(deltas.length).toBeGreaterThan(2)
    expect(client.streamed(message?.id ?? '')).toBe('{"expression":"1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9"}')
  })
})

describe('/approve', () => {
  it.each([
    ['allow', '`demo_note` answered: buy milk'],
    ['deny', '`demo_note` was not allowed: a person denied this call, saying: not now'],
  ] as const)('[APR1] waits for a person; %s is told', async (decision, said) => {
    const id = await newSession({ agent: 'demo' })
    const { turn } = await submit(id, '/approve buy milk')
    const approval = await soleApproval(id)
    expect(approval).toMatchObject({ toolName: 'demo_note', input: { text: 'buy milk' } })
    await answer(id, approval.id, { decision, reason: 'not now' })
    await whenIdle(id)
    expect(await lastWords(id, turn.id)).toBe(said)
  })

  it('[DEM3] acknowledges what is steered while the person thinks, once, above what came of the call', async () => {
    const id = await newSession({ agent: 'demo' })
    const { turn } = await submit(id, '/approve x')
    const { id: approvalId } = await soleApproval(id)
    await submit(id, 'hurry', 'steer')
    await submit(id, 'please', 'steer')
    await crash(stubOf(id))
    await answer(id, approvalId, { decision: 'allow' })
    await whenIdle(id)
    const said = messagesIn(await everyEvent(id)).filter(({ role }) => role === 'assistant')
    expect(said.map(textOf)).toEqual(['', 'Steered: hurry\n\nSteered: please\n\n`demo_note` answered: x'])
    expect((await getTurn(id, turn.id)).status).toBe('completed')
  })

  it.each([0, 20, 40, 80, 150])('[DEM3] asks once and tells once, though the object dies %i ms into it', async (ms) => {
    const id = await newSession({ agent: 'demo' })
    const { turn } = await submit(id, '/approve a few words more')
    await scheduler.wait(ms)
    await crash(stubOf(id))
    await runDurableObjectAlarm(stubOf(id))
    const { id: approvalId } = await soleApproval(id)
    await answer(id, approvalId, { decision: 'allow' })
    await whenIdle(id)
    const messages = messagesIn(await everyEvent(id))
    expect(resultsIn(messages)).toHaveLength(1)
    expect(messages.filter(({ role }) => role === 'assistant')).toHaveLength(2)
    expect(await lastWords(id, turn.id)).toMatch(/^`demo_note` (answered: a few words more|failed: The outcome is unknown)/)
  })
})
