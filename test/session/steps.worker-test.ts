/** Steps of a turn: what streams, what is cut and made again, what a budget ends, and what each costs. */
import { describe, expect, it } from 'vitest'
import { AgentError, type AgentEvent, type StepRequest } from '../../src/agents/agent.ts'
import { answer, soleApproval, whenWaiting } from './approval-client.ts'
import { evict, RowMeter, stubOf } from './object-probe.ts'
import { calls, Gate, says, scriptedAgent, tellsResults, tool, type Script } from './scripted-agent.ts'
import { answerOf, everyEvent, getSession, getTurn, messagesIn, newSession, runTurn, submit, textOf, whenIdle } from './session-client.ts'
import { attach } from './socket-client.ts'

const word = (text: string): AgentEvent => ({ type: 'text', text })
const forever = () => new Promise<never>(() => {})

describe('a call in the making', () => {
  it('[ATT2] streams its input as tool-input deltas with offsets, and `ready` shows it to who comes in the middle', async () => {
    const json = JSON.stringify({ text: 'a 😀 b', list: [1, 2, 3] })
    const mayGoOn = new Gate()
    const agent = scriptedAgent({
      tools: [tool('write'), tool('other')],
      steps: [
        async function* () {
          yield word('Let me see.')
          for (let at = 0; at < 10; at += 3)
            yield { type: 'tool-input' as const, call: 'a', toolName: 'write', text: json.slice(at, Math.min(at + 3, 10)) }
          yield { type: 'tool-input' as const, call: 'b', toolName: 'other', text: '{"b"' }
          await mayGoOn.opened
          yield { type: 'tool-input' as const, call: 'a', toolName: 'write', text: json.slice(10) }
          yield { type: 'tool-input' as const, call: 'b', toolName: 'other', text: ':1}' }
          yield { type: 'tool-call' as const, call: 'b', toolName: 'other', input: { b: 1 } }
          yield { type: 'tool-call' as const, call: 'a', toolName: 'write', input: JSON.parse(json) as unknown }
          yield* calls()
        },
      ],
    })
    const id = await newSession({ agent })
    const early = await (await attach(id)).ready()
    await submit(id, 'go')
    await early.until(({ frames }) => frames.some((frame) => frame.type === 'delta' && frame.part === 2))
    const late = await (await attach(id)).ready()
    const partial = late.readies[0]?.partial
    expect(partial?.parts).toMatchObject([
      { type: 'text', text: 'Let me see.' },
      { type: 'tool-call', toolName: 'write', input: json.slice(0, 10) },
      { type: 'tool-call', toolName: 'other', input: '{"b"' },
    ])
    mayGoOn.open()
    await whenIdle(id)
    const log = await everyEvent(id)
    const message = messagesIn(log)[0]
    expect(message?.id).toBe(partial?.messageId)
    expect(message?.parts).toMatchObject([
      { type: 'text' },
      { toolName: 'write', input: JSON.parse(json) as unknown },
      { toolName: 'other', input: { b: 1 } },
    ])
    for (const client of [early, late]) {
      await client.until(({ seqs }) => seqs.at(-1) === log.length)
      expect(client.streamedParts(message?.id ?? '')).toEqual(['Let me see.', json, '{"b":1}'])
      expect(client.events.filter(({ type }) => type === 'tool.started')).toHaveLength(2)
    }
    for (const frame of early.frames)
      if (frame.type === 'delta' && frame.part > 0 && frame.messageId === message?.id) expect(frame.kind).toBe('tool-input')
  })

  it('[TRN3] that was not complete when its turn was cancelled was never made', async () => {
    const begun = new Gate()
    const agent = scriptedAgent({
      tools: [tool('write')],
      steps: [
        async function* () {
          yield word('So: ')
          yield { type: 'tool-input' as const, call: 'a', toolName: 'write', text: '{"half' }
          begun.open()
          await forever()
        },
      ],
    })
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'go')
    await begun.opened
    await answerOf(200, 'POST', `/v1/sessions/${id}/turns/${turn.id}/cancel`)
    expect(messagesIn(await everyEvent(id)).map(({ parts, finishReason }) => ({ parts, finishReason }))).toEqual([
      { parts: [{ type: 'text', text: 'So: ' }], finishReason: 'cancelled' },
    ])
  })
})

describe('a step that is cut', () => {
  /** The first tries say `before` and then break; a later one says all. */
  const breaking = (tries: number, before: string[], rest: (request: StepRequest) => Promise<unknown>, script: Partial<Script> = {}) => {
    let made = 0
    return scriptedAgent({
      ...script,
      steps: [
        async function* (request) {
          made += 1
          for (const text of before) yield word(text)
          if (made <= tries) await rest(request)
          yield* says('and all.')
        },
      ],
    })
  }
  const silence = { timeouts: { stepMs: 60_000, firstMs: 150, stallMs: 150 } }
  const cut = async () => {
    throw new AgentError('The stream was cut.', { code: 'agent_unavailable', retryable: true, retryAfterMs: 0 })
  }

  it.each([
    ['says nothing for too long', forever, silence],
    [
      'takes too long in all',
      async ({ sleep }: StepRequest) => sleep(60_000),
      { timeouts: { stepMs: 150, firstMs: 60_000, stallMs: 60_000 } },
    ],
    ['breaks', cut, {}],
  ])('[AGT3] since it %s is made again under a new message id, and no client shows doubled words', async (_, rest, script) => {
    const id = await newSession({ agent: breaking(1, ['Half, '], rest, script) })
    const client = await (await attach(id, 0)).ready()
    const { turn } = await submit(id, 'go')
    await whenIdle(id)
    const log = await everyEvent(id)
    const resumed = log.find((event) => event.type === 'turn.resumed')
    const messages = messagesIn(log)
    expect(messages.map(textOf)).toEqual(['Half, and all.'])
    expect(resumed).toMatchObject({ reason: 'retry', attempt: 2 })
    expect(resumed?.supersedes).not.toBe(messages[0]?.id)
    await client.until(({ seqs }) => seqs.at(-1) === log.length)
    expect(client.streamed(messages[0]?.id ?? '')).toBe('Half, and all.')
    expect(client.streamed(resumed?.supersedes ?? '')).toBe('Half, ')
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'completed', attempt: 2 })
  })

  it('[AGT3] before it said a word is made again in silence: nothing of it is in the log', async () => {
    const id = await newSession({ agent: breaking(2, [], cut) })
    const { turn, messages } = await runTurn(id, 'go')
    expect(turn).toMatchObject({ status: 'completed', attempt: 1 })
    expect(messages.map(textOf)).toEqual(['go', 'and all.'])
    expect((await getSession(id)).head).toBe(5)
  })

  it.each([
    [['word '], 4],
    [[], 1],
  ])('[AGT3] again and again, having said %j, fails the turn with its reason after a bounded number of tries', async (before, attempt) => {
    const id = await newSession({ agent: breaking(100, before, cut) })
    const { turn } = await runTurn(id, 'go')
    expect(turn).toMatchObject({
      status: 'failed',
      attempt,
      error: { code: 'agent_unavailable', message: 'The stream was cut.', retryable: true },
    })
    expect(messagesIn(await everyEvent(id)).map(textOf)).toEqual(before)
    expect((await runTurn(id, 'go on')).turn.status).toBe('failed')
  })

  it('[AGT3] for a reason that will not pass is not made again', async () => {
    const refused = async () => {
      throw new AgentError('The key is wrong.', { code: 'agent_unavailable' })
    }
    const startedAt = Date.now()
    const id = await newSession({ agent: breaking(1, [], refused) })
    expect((await runTurn(id, 'go')).turn).toMatchObject({ status: 'failed', error: { message: 'The key is wrong.', retryable: false } })
    const later = async () => {
      throw new AgentError('Come back in an hour.', { code: 'agent_unavailable', retryable: true, retryAfterMs: 3_600_000 })
    }
    const other = await newSession({ agent: breaking(1, [], later) })
    expect((await runTurn(other, 'go')).turn).toMatchObject({
      status: 'failed',
      error: { message: 'Come back in an hour.', retryable: true },
    })
    expect(Date.now() - startedAt).toBeLessThan(5_000)
  })

  it('[AGT3] takes up what was steered while it waited', async () => {
    const id = await newSession({
      agent: scriptedAgent({
        steps: [
          async function* ({ steered }) {
            if (steered.length === 0) {
              yield word('Half')
              await cut()
            }
            yield* says(`With ${steered.map(textOf).join()}`)
          },
        ],
      }),
    })
    const { turn } = await submit(id, 'go')
    await submit(id, 'more', 'steer')
    await whenIdle(id)
    expect(messagesIn(await everyEvent(id)).map(textOf)).toEqual(['more', 'With more'])
    expect((await getTurn(id, turn.id)).status).toBe('completed')
  })
})

describe('a budget', () => {
  const looping = (script: Partial<Script> = {}) =>
    scriptedAgent({ tools: [tool('again')], steps: Array.from({ length: 50 }, () => () => calls(['again', {}])), ...script })

  it.each([
    ['steps', { steps: 3 }, 'step-limit', 3],
    ['tokens', { tokens: 50 }, 'token-limit', 4],
  ])('[AGT4] of %s ends a turn that would go on, with a finish reason of its own', async (_, budgets, finishReason, steps) => {
    for (const body of [{ agent: looping(), settings: { budgets } }, { agent: looping({ budgets }) }]) {
      const id = await newSession(body)
      const { turn, messages } = await runTurn(id, 'go')
      expect(turn).toMatchObject({ status: 'completed', finishReason, usage: { inputTokens: 10 * steps } })
      expect(messages.filter(({ role }) => role === 'assistant')).toHaveLength(steps)
      // The calls of the last step were never started.
      expect(messages.filter(({ role }) => role === 'tool')).toHaveLength(steps - 1)
    }
  })

  it('[AGT4] that is spent just as the turn is complete ends nothing', async () => {
    const id = await newSession({ agent: looping({ steps: [() => calls(['again', {}])] }), settings: { budgets: { steps: 2 } } })
    expect((await runTurn(id, 'go')).turn).toMatchObject({ finishReason: 'stop' })
  })

  it('[AGT4] of time ends a step and keeps what it said, and ends a tool', async () => {
    const speaking = scriptedAgent({
      steps: [
        async function* ({ sleep }) {
          for (;;) {
            yield word('on ')
            await sleep(50)
          }
        },
      ],
    })
    const hanging = scriptedAgent({ tools: [tool('hang', { run: forever })], steps: [() => calls(['hang', {}])] })
    for (const agent of [speaking, hanging]) {
      const id = await newSession({ agent, settings: { budgets: { seconds: 1 } } })
      const { turn, messages } = await runTurn(id, 'go')
      expect(turn).toMatchObject({ status: 'completed', finishReason: 'time-limit' })
      expect(turn.usage.activeMs).toBeGreaterThanOrEqual(1_000)
      expect(turn.usage.activeMs).toBeLessThan(10_000)
      if (agent === speaking) expect(messages.at(-1)).toMatchObject({ role: 'assistant', finishReason: 'time-limit' })
      if (agent === speaking) expect(textOf(messages.at(-1) ?? { parts: [] })).toMatch(/^(on ){3,}$/)
    }
  })

  it('[AGT4] of time does not run while a person is waited for', async () => {
    const id = await newSession({
      agent: scriptedAgent({ tools: [tool('pay', { approval: 'always' })], steps: [() => calls(['pay', {}]), tellsResults] }),
      settings: { budgets: { seconds: 3 } },
    })
    const { turn } = await submit(id, 'go')
    const approval = await soleApproval(id)
    await scheduler.wait(3_200)
    await answer(id, approval.id, { decision: 'allow' })
    await whenIdle(id)
    const { finishReason, usage } = await getTurn(id, turn.id)
    expect(finishReason).toBe('stop')
    expect(usage.activeMs).toBeLessThan(3_000)
  })

  it('[AGT4] of time is each turn its own: one that was queued keeps to what was set since', async () => {
    const mayEnd = new Gate()
    const agent = scriptedAgent({
      steps: [
        async function* ({ context, sleep }) {
          await (textOf(context.at(-1) ?? { parts: [] }) === 'short' ? mayEnd.opened : sleep(60_000))
          yield* says('done')
        },
      ],
    })
    const id = await newSession({ agent, settings: { budgets: { seconds: 3_000 } } })
    const short = await submit(id, 'short')
    const long = await submit(id, 'long')
    await answerOf(200, 'PATCH', `/v1/sessions/${id}`, { body: { settings: { budgets: { seconds: 1 } } } })
    mayEnd.open()
    await whenIdle(id)
    expect((await getTurn(id, short.turn.id)).finishReason).toBe('stop')
    expect(await getTurn(id, long.turn.id)).toMatchObject({ status: 'completed', finishReason: 'time-limit' })
  })
})

describe('what a step costs', () => {
  it('[LOG4] is 3 rows at most with its tool, in the mean over snapshots, and the turn tells all of them', async () => {
    const steps = 40
    const rows: number[] = []
    let meter = new RowMeter()
    const agent = scriptedAgent({
      tools: [
        tool('look', { run: async () => ({ output: rows.push(meter.rowsWritten), notes: [{ key: 'a note', text: `${rows.length}` }] }) }),
      ],
      steps: Array.from({ length: steps }, () => () => calls(['look', {}])),
      budgets: { steps: 100 },
    })
    const id = await newSession({ agent })
    meter = await RowMeter.install(stubOf(id))
    const { turn } = await runTurn(id, 'go')
    expect(turn).toMatchObject({ status: 'completed', finishReason: 'stop' })
    expect(turn.usage.storage.rowsWritten).toBe(meter.rowsWritten)
    const perStep = rows.slice(1).map((count, index) => count - (rows[index] ?? 0))
    expect(perStep).toHaveLength(steps - 1)
    expect(Math.min(...perStep)).toBe(2)
    // A snapshot, two rows, falls into every sixteenth step.
    expect(perStep.filter((count) => count > 3).length).toBeLessThanOrEqual(Math.ceil(steps / 16))
    expect(Math.max(...perStep)).toBeLessThanOrEqual(4)
    expect(perStep.reduce((sum, count) => sum + count, 0) / perStep.length).toBeLessThanOrEqual(3)
  })

  it('[MET1] is told exactly with large outputs, approvals and parallel tools in it', async () => {
    const agent = scriptedAgent({
      tools: [tool('large', { run: async () => ({ output: 'z'.repeat(1024 * 1024 - 100) }) }), tool('ask', { approval: 'always' })],
      steps: [() => calls(['large', {}], ['large', {}]), () => calls(['ask', {}], ['ask', {}], ['large', {}]), tellsResults],
    })
    const id = await newSession({ agent })
    const meter = await RowMeter.install(stubOf(id))
    const { turn } = await submit(id, 'go')
    for (const left of [2, 1]) {
      const [approval] = (await whenWaiting(id, left)).pendingApprovals
      expect(await answer(id, approval?.id ?? '', { decision: left === 2 ? 'deny' : 'allow' })).toMatchObject({ ok: true })
    }
    const session = await whenIdle(id)
    const { usage } = await getTurn(id, turn.id)
    expect(usage.storage.rowsWritten).toBe(meter.rowsWritten)
    expect(usage).toMatchObject({ inputTokens: 30, outputTokens: 15, cachedTokens: 6, reasoningTokens: 3 })
    expect(session.usage).toMatchObject({ turns: 1, inputTokens: 30, activeMs: usage.activeMs, storage: usage.storage })
  })

  it('[MET1] of a turn that waited in an object that was evicted is told with what it was before', async () => {
    const agent = scriptedAgent({
      tools: [tool('look'), tool('ask', { approval: 'always' })],
      steps: [() => calls(['look', {}]), () => calls(['ask', {}]), tellsResults],
    })
    const id = await newSession({ agent })
    const before = await RowMeter.install(stubOf(id))
    const { turn } = await submit(id, 'go')
    const { id: approvalId } = await soleApproval(id)
    await evict(stubOf(id))
    const after = await RowMeter.install(stubOf(id))
    await answer(id, approvalId, { decision: 'allow' })
    await whenIdle(id)
    const { usage } = await getTurn(id, turn.id)
    expect(before.rowsWritten).toBeGreaterThan(3)
    expect(usage.storage.rowsWritten).toBe(before.rowsWritten + after.rowsWritten)
    const whole = await getSession(id)
    await evict(stubOf(id))
    expect(await getSession(id)).toEqual(whole)
  })
})

describe('who answered', () => {
  it('[AGT1] stands on every message: the model, and the version of the agent, to which later steps keep', async () => {
    const agent = scriptedAgent({ version: '7', window: 9_000, tools: [tool('look')], steps: [() => calls(['look', {}]), tellsResults] })
    const id = await newSession({ agent })
    const { messages } = await runTurn(id, 'go')
    const said = messages.filter(({ role }) => role === 'assistant')
    expect(said.map(({ model, agentVersion }) => [model, agentVersion])).toEqual([
      ['scripted/one', '7'],
      ['scripted/one', '7'],
    ])
    expect((await getSession(id)).context.window).toBe(9_000)
  })
})
