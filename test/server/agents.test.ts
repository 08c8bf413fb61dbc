/** Model agents over HTTP: one table of conversations, held on each dialect of model providers, with the same events. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calls, dialects, says, thinks, toolCalls } from '../upstream/answer.ts'
import { AgentWorld } from './agent-world.ts'

/** How soon the provider must see that nobody listens any more. */
const abortMs = 100

let world: AgentWorld

beforeAll(async () => {
  world = await AgentWorld.start()
}, 120_000)

afterAll(() => world?.stop())

const answered = ['assistant (stop): text', 'turn.completed stop']

describe.each(dialects)('%s', (dialect) => {
  test('[AGT3] a plain answer, told by its model, in as many turns as it is asked', async () => {
    const talk = await world.conversation(dialect)
    const usage = { inputTokens: 120, outputTokens: 30, cachedTokens: 80 }
    const told = await talk.turn('Hello', { pieces: says('Guten ', 'Tag 👩‍👩‍👧‍👦, ', '語.'), usage, segmentBytes: 7 })
    expect(told.story).toEqual(answered)
    expect(told.text).toBe('Guten Tag 👩‍👩‍👧‍👦, 語.')
    expect(told.messages.at(-1)).toMatchObject({ model: `${dialect}/${talk.model}`, agentVersion: '1', usage })
    expect(told.turn.usage).toMatchObject({ ...usage, reasoningTokens: 0 })
    const again = await talk.turn('And again', { pieces: says('Again.') })
    expect([again.story, again.text]).toEqual([answered, 'Again.'])
    const [, second] = await talk.calls()
    expect(JSON.stringify(second?.body)).toMatch(/Hello.*Guten Tag.*And again/)
  })

  test('[AGT3] reasoning stands before the answer, and goes back with its signature where there is one', async () => {
    const talk = await world.conversation(dialect, { agent: { reasoning: 'low', tools: ['calculate'] } })
    const told = await talk.turn(
      'Think',
      {
        ...toolCalls(['calculate', { expression: '6 * 7' }]),
        pieces: [...thinks('c2lnbmVk', 'Hm, ', 'ça…'), ...calls('calculate', { expression: '6 * 7' })],
      },
      { pieces: says('42.') },
    )
    expect(told.story).toEqual([
      'assistant (tool-calls): reasoning, calls calculate',
      'tool.started calculate',
      'tool: calculate ok',
      ...answered,
    ])
    expect(told.messages[0]?.parts[0]).toMatchObject({ type: 'reasoning', text: 'Hm, ça…' })
    const [, second] = await talk.calls()
    expect(JSON.stringify(second?.body)).toContain('Hm, ça…')
    expect(JSON.stringify(second?.body).includes('c2lnbmVk')).toBe(dialect === 'anthropic')
  })

  test('[TOOL1] a tool is called, and its result is in the next step', async () => {
    const agent = { tools: ['calculate', 'current_time'] }
    const talk = await world.conversation(dialect, { agent })
    const told = await talk.turn('What is 6 × 7?', toolCalls(['calculate', { expression: '6 * 7' }]), { pieces: says('It is 42.') })
    expect(told.story).toEqual(['assistant (tool-calls): calls calculate', 'tool.started calculate', 'tool: calculate ok', ...answered])
    expect(JSON.stringify(told.outputs)).toContain('42')
    expect(told.text).toBe('It is 42.')
    expect(told.turn.usage).toMatchObject({ inputTokens: 40, outputTokens: 20 })
  })

  test('[TOOL1] parallel calls run side by side, and each has its result before the next step', async () => {
    const tools = [world.tool('slow', `/hold/${dialect}-parallel`), world.tool('quick', '/echo')]
    const talk = await world.conversation(dialect, { agent: { tools } })
    await talk.script(toolCalls(['slow', { n: 1 }], ['quick', { n: 2 }]), { pieces: says('Both are done.') })
    const { id } = await talk.submit('Do both')
    await world.tools.reached(`/hold/${dialect}-parallel`)
    await expect.poll(async () => JSON.stringify(await talk.events())).toContain('"toolName":"quick","output"')
    world.tools.release(`/hold/${dialect}-parallel`)
    const told = await talk.settled(id)
    expect(told.story).toEqual([
      'assistant (tool-calls): calls slow, calls quick',
      'tool.started slow',
      'tool.started quick',
      'tool: quick ok',
      'tool: slow ok',
      ...answered,
    ])
  })

  test('[AGT4] a model that calls the same failing tool for ever is stopped at its step limit', async () => {
    const agent = { tools: [world.tool('broken', '/fail')], budgets: { steps: 4 } }
    const talk = await world.conversation(dialect, { agent })
    const told = await talk.turn('Try', ...Array.from({ length: 6 }, () => toolCalls(['broken', {}])))
    expect(told.story.filter((line) => line === 'tool: broken error')).toHaveLength(3)
    expect(told.story.slice(-2)).toEqual(['assistant (tool-calls): calls broken', 'turn.completed step-limit'])
    expect(await talk.calls()).toHaveLength(4)
    const next = await talk.turn('Never mind', { pieces: says('All right.') })
    expect(next.story).toEqual(answered)
  })

  test('[AGT4] tokens and seconds are budgets too, of the session as of the agent', async () => {
    const agent = { tools: [world.tool('echo', '/echo'), world.tool('slow', `/hold/${dialect}-never`)], budgets: { tokens: 100 } }
    const talk = await world.conversation(dialect, { agent })
    const step = { ...toolCalls(['echo', {}]), usage: { inputTokens: 40, outputTokens: 10 } }
    const spent = await talk.turn('Go on', step, step, step)
    expect(spent.story.slice(-2)).toEqual(['assistant (tool-calls): calls echo', 'turn.completed token-limit'])
    expect(await talk.calls()).toHaveLength(2)

    await world.ask('PATCH', talk.path, { settings: { budgets: { seconds: 1 } } })
    const slow = await talk.turn('Wait', toolCalls(['slow', {}]))
    expect(slow.story).toEqual(['assistant (tool-calls): calls slow', 'tool.started slow', 'turn.completed time-limit'])
    const next = await talk.turn('And now', { pieces: says('Here.') })
    expect(next.story).toEqual(answered)
  })

  test('[TRN3] cancelling closes the call of the model at once, whether it has begun to answer or not', async () => {
    const talk = await world.conversation(dialect)
    for (const [gate, pieces] of [
      [`${dialect}-silent`, []],
      [`${dialect}-talking`, says('I was about to ')],
    ] as const) {
      await talk.script({ pieces: [...pieces, { type: 'hold', gate }] })
      const { id } = await talk.submit('Take your time')
      await talk.reached(gate)
      const cancelledAt = Date.now()
      expect((await talk.cancel(id)).status).toBe(200)
      const seen = await world.upstream.until(talk.model, 'the end', (all) => all.at(-1)?.end !== null)
      expect(seen.at(-1)).toMatchObject({ end: 'aborted' })
      expect((seen.at(-1)?.endedAt ?? 0) - cancelledAt).toBeLessThan(abortMs)
      const said = pieces.length > 0 ? ['assistant (cancelled): text'] : []
      expect((await talk.settled(id)).story).toEqual([...said, 'turn.cancelled'])
    }
    const next = await talk.turn('Go on', { pieces: says('Yes.') })
    expect(next.story).toEqual(answered)
  })

  test('[TRN9] a turn is steered in mid-stream and in mid-tool', async () => {
    const gate = `${dialect}-steered`
    const talk = await world.conversation(dialect, { agent: { tools: [world.tool('slow', `/hold/${gate}`)] } })
    await talk.script({ pieces: [...says('One, '), { type: 'hold', gate }, ...says('two.')] }, toolCalls(['slow', {}]), {
      pieces: says('Three, and four.'),
    })
    const { id } = await talk.submit('Count')
    await talk.reached(gate)
    await talk.submit('and use the tool', 'steer')
    await world.upstream.release(gate)
    await world.tools.reached(`/hold/${gate}`)
    await talk.submit('and go on to four', 'steer')
    world.tools.release(`/hold/${gate}`)
    const told = await talk.settled(id)
    expect(told.story.map((line) => line.replace(/steered|stop/, 'stop'))).toEqual([
      'turn.stop',
      'assistant (stop): text',
      'user: text',
      'assistant (tool-calls): calls slow',
      'tool.started slow',
      'turn.stop',
      'tool: slow ok',
      'user: text',
      ...answered,
    ])
    const bodies = (await talk.calls()).map(({ body }) => JSON.stringify(body))
    expect(bodies.map((body) => [body.includes('use the tool'), body.includes('go on to four')])).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ])
  })

  test('[TRN3] a turn is interrupted in mid-stream and in mid-tool, and the next one knows what was said', async () => {
    const gate = `${dialect}-interrupted`
    const talk = await world.conversation(dialect, { agent: { tools: [world.tool('slow', `/hold/${gate}`)] } })
    await talk.script({ pieces: [...says('One, '), { type: 'hold', gate }] }, toolCalls(['slow', {}]), { pieces: says('Done.') })
    const first = await talk.submit('Count')
    await talk.reached(gate)
    const second = await talk.submit('Stop, and use the tool', 'interrupt')
    expect((await talk.settled(first.id)).story).toEqual(['assistant (cancelled): text', 'turn.cancelled'])
    await world.tools.reached(`/hold/${gate}`)
    const third = await talk.submit('Leave it', 'interrupt')
    expect((await talk.settled(second.id)).story).toEqual(['assistant (tool-calls): calls slow', 'tool.started slow', 'turn.cancelled'])
    await expect.poll(() => world.tools.visitsTo(`/hold/${gate}`).map(({ end }) => end)).toEqual(['aborted'])
    const told = await talk.settled(third.id)
    expect(told.story).toEqual(answered)
    expect(JSON.stringify((await talk.calls()).at(-1)?.body)).toMatch(/One, .*Stop, and use the tool.*slow.*Leave it/)
  })

  test('[AGT1] a change of an agent is in effect at the next turn, and not before', async () => {
    const gate = `${dialect}-change`
    const talk = await world.conversation(dialect, {
      agent: { instructions: 'Answer in Finnish.', tools: [world.tool('slow', `/hold/${gate}`)] },
    })
    await talk.script(toolCalls(['slow', {}]), { pieces: says('Moi.') }, { pieces: says('Hallo.') })
    const { id } = await talk.submit('Hello')
    await world.tools.reached(`/hold/${gate}`)
    const { status } = await world.ask('PATCH', `/v1/agents/${talk.agent}`, { instructions: 'Answer in Dutch.' })
    expect(status).toBe(200)
    world.tools.release(`/hold/${gate}`)
    const before = await talk.settled(id)
    const next = await talk.submit('Hello')
    const after = await talk.settled(next.id)
    const versions = [before, after].map(({ messages }) =>
      messages.flatMap(({ role, agentVersion }) => (role === 'assistant' ? [agentVersion] : [])),
    )
    expect(versions).toEqual([['1', '1'], ['2']])
    const bodies = (await talk.calls()).map(({ body }) => JSON.stringify(body))
    expect(bodies.map((body) => /Finnish|Dutch/.exec(body)?.[0])).toEqual(['Finnish', 'Finnish', 'Dutch'])
  })

  test('[AGT2] a model that its provider does not have, and a provider that the server does not have', async () => {
    const talk = await world.conversation(dialect)
    const told = await talk.turn('Hello', { status: 404, message: 'The model does not exist.' })
    expect(told.story).toEqual([expect.stringMatching(/^turn\.failed /)])
    expect(told.turn.error?.message).toMatch(/model/i)
    expect(await talk.calls()).toHaveLength(1)
    await world.ask('PATCH', talk.path, { model: 'nobody/nothing' })
    const { id } = await talk.submit('Hello')
    const unknown = await talk.settled(id)
    expect(unknown.turn).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('nobody') } })
    await world.ask('PATCH', talk.path, { model: `${dialect}/${talk.model}` })
    expect((await talk.turn('Hello', { pieces: says('Hello.') })).story).toEqual(answered)
  })
})

test('[SEC4] after all of this every log is lawful, and no secret stands in an event, an answer or the server’s log', async () => {
  expect(await world.faults()).toEqual([])
  expect(await world.leaks()).toEqual([])
  expect(world.server.logLines().filter((line) => line.level === 'error')).toEqual([])
})
