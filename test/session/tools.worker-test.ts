/** Tools that run: side by side, behind a durable start, bounded in time and size, and exactly counted. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import type { StepRequest } from '../../src/agents/agent.ts'
import { ToolError, type ToolCall } from '../../src/agents/tools/tool.ts'
import type { ToolResultPart } from '../../src/protocol/message.ts'
import { crash, evict, perform, stubOf } from './object-probe.ts'
import { calls, Gate, resultsIn, says, scriptedAgent, tellsResults, tool } from './scripted-agent.ts'
import {
  cancel,
  eventually,
  everyEvent,
  getContext,
  getTurn,
  messagesIn,
  newSession,
  runTurn,
  submit,
  textOf,
  whenIdle,
} from './session-client.ts'

/** Runs one turn that calls the tools with these inputs, and answers their results in the order in which they came. */
async function resultsOf(agent: string): Promise<{ id: string; results: ToolResultPart[] }> {
  const id = await newSession({ agent })
  const { turn, messages } = await runTurn(id, 'go')
  expect(turn.status).toBe('completed')
  return { id, results: resultsIn(messages) }
}

/** Never ends by itself; tells when it was told to stop. */
function endless(): { run: (input: unknown, call: ToolCall) => Promise<never>; begun: Gate; aborted: Gate } {
  const [begun, aborted] = [new Gate(), new Gate()]
  const run = (_: unknown, { signal }: ToolCall) => {
    signal.addEventListener('abort', () => aborted.open())
    begun.open()
    return new Promise<never>(() => {})
  }
  return { run, begun, aborted }
}

describe('tools of one step', () => {
  it('[TOOL1] run side by side, each behind its durable start, and every result is durable before the next step', async () => {
    const [first, second] = [new Gate(), new Gate()]
    const started: string[][] = []
    const run =
      (mine: Gate, other: Gate) =>
      async (_: unknown, { sessionId }: ToolCall) => {
        started.push((await everyEvent(sessionId)).flatMap((event) => (event.type === 'tool.started' ? [event.toolName] : [])))
        mine.open()
        await other.opened
        return { output: 'met' }
      }
    const before: number[] = []
    const agent = scriptedAgent({
      tools: [tool('left', { run: run(first, second) }), tool('right', { run: run(second, first) })],
      steps: [
        () => calls(['left', {}], ['right', {}]),
        async function* (request: StepRequest) {
          before.push(resultsIn(messagesIn(await everyEvent(request.sessionId))).length)
          yield* tellsResults(request)
        },
      ],
    })
    const { results } = await resultsOf(agent)
    expect(results.map(({ output }) => output)).toEqual(['met', 'met'])
    expect(started).toEqual([
      ['left', 'right'],
      ['left', 'right'],
    ])
    expect(before).toEqual([2])
  })

  it('[LOG4] that end almost together share a row, and one that does not is not waited for', async () => {
    const late = new Gate()
    const quick = ['a', 'b', 'c'].map((name) => tool(name, { run: async () => ({ output: name }) }))
    const agent = scriptedAgent({
      tools: [...quick, tool('late', { run: async () => (await late.opened, { output: 'late' }) })],
      steps: [() => calls(['a', {}], ['late', {}], ['b', {}], ['c', {}]), tellsResults],
    })
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'go')
    const told = await eventually(
      () => everyEvent(id),
      (log) => resultsIn(messagesIn(log)).length === 3,
    )
    expect(resultsIn(messagesIn(told)).map(({ toolName }) => toolName)).toEqual(['a', 'b', 'c'])
    late.open()
    await whenIdle(id)
    // Accepted, called, three results, the last one, answered.
    expect((await getTurn(id, turn.id)).usage.storage.rowsWritten).toBe(5)
  })

  it('[TOOL1] have ids of their own, unique over the session, whatever their provider called them', async () => {
    const ids: string[] = []
    const agent = scriptedAgent({
      tools: [tool('note', { run: async (_, { toolCallId }) => ({ output: ids.push(toolCallId) }) })],
      steps: [() => calls(['note', 1], ['note', 1]), () => calls(['note', 1])],
    })
    const { id } = await resultsOf(agent)
    await runTurn(id, 'again')
    expect(ids).toHaveLength(6)
    expect(new Set(ids).size).toBe(6)
    const log = await everyEvent(id)
    expect(log.flatMap((event) => (event.type === 'tool.started' ? [event.toolCallId] : []))).toEqual(ids)
  })

  it('[TOOL3] beyond 32 are refused, and those that do not exist, fail their schema or came broken, each told why', async () => {
    const ran: unknown[] = []
    const agent = scriptedAgent({
      tools: [
        tool('count', { run: async (input) => ({ output: ran.push(input) }) }),
        tool('strict', { problemOf: () => 'The input has no "name".' }),
      ],
      steps: [
        () =>
          calls(['strict', {}], ['nothing', {}], ['__proto__', {}], ...Array.from({ length: 32 }, (): [string, unknown] => ['count', {}])),
        () => [
          { type: 'tool-call', call: 'a', toolName: 'count', input: '{"a":', problem: 'The input is not valid JSON.' },
          { type: 'tool-call', call: 'b', toolName: 'count', input: 'x'.repeat(1024 * 1024) },
          ...calls(),
        ],
        () => says('done'),
      ],
    })
    const { results } = await resultsOf(agent)
    const refused = results.filter(({ isError }) => isError).map(({ output }) => String(output))
    expect(refused.slice(0, 3)).toEqual([
      'The input has no "name".',
      'There is no tool named nothing. Your tools are: count, strict.',
      'There is no tool named __proto__. Your tools are: count, strict.',
    ])
    expect(refused.slice(3, 6)).toEqual(Array<string>(3).fill('Not run: an answer may call 32 tools at most.'))
    expect(refused.slice(6)).toEqual(['The input is not valid JSON.', 'The input is 1048578 bytes of JSON; 1048576 is the most.'])
    expect(ran).toHaveLength(29)
  })
})

describe('policies', () => {
  it('[TOOL5] deny wins over what the session allows; then the session, the agent, the tool decide', async () => {
    const agent = scriptedAgent({
      tools: ['drop_all', 'drop_one', 'read_one', 'write_one'].map((name) => tool(name, { approval: 'policy' })),
      policies: [
        { tool: 'drop_*', action: 'deny' },
        { tool: 'read_*', action: 'allow' },
        { tool: 'write_*', action: 'ask' },
      ],
      steps: [() => calls(['drop_all', {}], ['drop_one', {}], ['read_one', {}], ['write_one', {}]), tellsResults],
    })
    const settings = { allow: ['drop_one', 'write_one'], policies: [{ tool: 'drop_one', action: 'allow' }] }
    const id = await newSession({ agent, settings })
    const { messages } = await runTurn(id, 'go')
    const denied = 'Not allowed: a policy denies this tool.'
    expect(
      textOf(messages.at(-1) ?? { parts: [] })
        .split('\n')
        .toSorted(),
    ).toEqual([`drop_all failed: ${denied}`, `drop_one failed: ${denied}`, 'read_one: {}', 'write_one: {}'].toSorted())
  })
})

describe('outputs', () => {
  it('[TOOL3] above 64 KiB stand as a preview and are read whole, also after sleep; up to it they stand as they are', async () => {
    const fits = 'x'.repeat(64 * 1024)
    const large = '😀é\n'.repeat(30_000)
    const json = { list: Array.from({ length: 40_000 }, (_, index) => index) }
    const agent = scriptedAgent({
      tools: [tool('say', { run: async (input) => ({ output: [fits, large, json][Number(input)] }) })],
      steps: [() => calls(['say', 0]), () => calls(['say', 1]), () => calls(['say', 2])],
    })
    const { id, results } = await resultsOf(agent)
    expect(results[0]).toMatchObject({ output: fits, isError: false })
    expect(results[0]).not.toHaveProperty('outputRef')
    for (const [result, whole] of [
      [results[1], large],
      [results[2], JSON.stringify(json)],
    ] as const) {
      const bytes = new TextEncoder().encode(whole).length
      expect(result?.bytes).toBe(bytes)
      const [preview, note] = String(result?.output).split('\n[')
      expect(preview?.length).toBeLessThanOrEqual(16 * 1024)
      expect(preview?.length).toBeGreaterThan(16 * 1024 - 10)
      expect(whole.startsWith(preview ?? '?')).toBe(true)
      expect(note).toBe(`a preview: the whole output has ${bytes} bytes]`)
      const read = () => perform(stubOf(id), id, { verb: 'getOutput', args: { outputRef: result?.outputRef ?? '' } })
      expect(await read()).toMatchObject({ ok: true, value: { text: whole } })
      await crash(stubOf(id))
      expect(await read()).toMatchObject({ ok: true, value: { text: whole } })
    }
    const forged = `${results[1]?.outputRef?.slice(0, -1)}${results[1]?.outputRef?.endsWith('0') ? '1' : '0'}`
    const unknown = await perform(stubOf(id), id, { verb: 'getOutput', args: { outputRef: forged } })
    expect(unknown).toMatchObject({ ok: false, error: { code: 'not_found' } })
  })

  it('[TOOL3] above what their tool may answer are cut, never inside a character, and say so', async () => {
    const agent = scriptedAgent({
      tools: [
        tool('short', { maxOutputBytes: 1001, run: async () => ({ output: '😀'.repeat(5_000) }) }),
        tool('long', { maxOutputBytes: 200_000, run: async () => ({ output: 'y'.repeat(3_000_000) }) }),
      ],
      steps: [() => calls(['short', {}]), () => calls(['long', {}])],
    })
    const { id, results } = await resultsOf(agent)
    expect(results[0]?.output).toBe(`${'😀'.repeat(250)}\n[cut off: the tool answered 20000 bytes, 1001 are kept]`)
    const whole = await perform(stubOf(id), id, { verb: 'getOutput', args: { outputRef: results[1]?.outputRef ?? '' } })
    const text = `${'y'.repeat(200_000)}\n[cut off: the tool answered 3000000 bytes, 200000 are kept]`
    expect(whole).toMatchObject({ ok: true, value: { text } })
    expect(results[1]?.bytes).toBe(text.length)
  })
})

describe('a tool that', () => {
  it('[TOOL3] takes too long is told to stop, and its call fails even if it does not listen', async () => {
    const { run, aborted } = endless()
    const agent = scriptedAgent({ tools: [tool('hang', { timeoutMs: 150, run })], steps: [() => calls(['hang', {}]), tellsResults] })
    const { results } = await resultsOf(agent)
    expect(results).toMatchObject([{ isError: true, output: 'The tool did not finish within 0.15 s, and was stopped.' }])
    await aborted.opened
  })

  it('[SEC4] throws a secret shows it nowhere, while words that are meant for the model reach it', async () => {
    const secret = 'sk-of-the-tool-93f1'
    const lines: string[] = []
    const spies = (['info', 'warn', 'error', 'log'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...said) => void lines.push(said.join(' '))),
    )
    const fail = async (input: unknown) => {
      if (input === 'plainly') throw new ToolError('The disk is full.')
      if (input === 'oddly') return Promise.reject(secret)
      throw new Error(`The key ${secret} was refused`, { cause: new Error(secret) })
    }
    const agent = scriptedAgent({
      tools: [
        tool('fail', { run: fail }),
        tool('loud', {
          run: () => {
            throw new TypeError(secret)
          },
        }),
      ],
      steps: [() => calls(['fail', 'badly'], ['fail', 'oddly'], ['fail', 'plainly'], ['loud', {}]), tellsResults],
    })
    const { id, results } = await resultsOf(agent)
    for (const spy of spies) spy.mockRestore()
    const outputs = results.map(({ output, isError }) => [output, isError])
    expect(outputs.filter(([output]) => output === 'The tool stopped with an error.')).toHaveLength(3)
    expect(outputs).toContainEqual(['The disk is full.', true])
    expect(JSON.stringify(await everyEvent(id))).not.toContain(secret)
    expect(lines.filter((line) => line.includes('tool.failed'))).toHaveLength(3)
    expect(lines.join('\n')).not.toContain(secret)
  })

  it.each(['cancel', 'interrupt', 'erase'] as const)(
    '[TRN3] runs is told to stop when its turn ends by %s, and what it answers is dropped',
    async (how) => {
      const { run, begun, aborted } = endless()
      const agent = scriptedAgent({ tools: [tool('hang', { run })], steps: [() => calls(['hang', {}])] })
      const id = await newSession({ agent })
      const { turn } = await submit(id, 'go')
      await begun.opened
      if (how === 'cancel') await cancel(id, turn.id)
      if (how === 'interrupt') await submit(id, 'else', 'interrupt')
      if (how === 'erase') await perform(stubOf(id), id, { verb: 'erase', args: { forks: 'refuse' } })
      // Not some time later: whoever ended the turn has the answer, and the tool has its signal.
      expect(aborted.isOpen).toBe(true)
      if (how === 'erase') return
      expect(await getTurn(id, turn.id)).toMatchObject({ status: 'cancelled' })
      const ofTurn = messagesIn(await everyEvent(id)).filter(({ turnId }) => turnId === turn.id)
      expect(ofTurn.map(({ role }) => role)).toEqual(['assistant'])
      expect(resultsIn((await getContext(id)).messages.filter(({ turnId }) => turnId === turn.id))).toMatchObject([{ isError: true }])
    },
  )

  it('[TRN9] runs lets steered inputs wait for the next step, which consumes them behind its result', async () => {
    const [begun, mayEnd] = [new Gate(), new Gate()]
    const run = async () => {
      begun.open()
      await mayEnd.opened
      return { output: 'ok' }
    }
    const steered: string[] = []
    const agent = scriptedAgent({
      tools: [tool('slow', { run })],
      steps: [() => calls(['slow', {}]), (request) => (steered.push(...request.steered.map(textOf)), tellsResults(request))],
    })
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'go')
    await begun.opened
    await submit(id, 'and hurry', 'steer')
    mayEnd.open()
    await whenIdle(id)
    expect(steered).toEqual(['and hurry'])
    const ofTurn = messagesIn(await everyEvent(id)).filter(({ turnId }) => turnId === turn.id)
    expect(ofTurn.map(({ role }) => role)).toEqual(['assistant', 'tool', 'user', 'assistant'])
  })
})

describe('a crash', () => {
  /** A tool that hangs the first time and answers the second. */
  const crashing = (idempotent: boolean) => {
    const runs: string[] = []
    const begun = new Gate()
    const run = async (_: unknown, { toolCallId }: ToolCall) => {
      runs.push(toolCallId)
      begun.open()
      return runs.length > 1 ? { output: 'done' } : new Promise<never>(() => {})
    }
    return {
      runs,
      begun,
      agent: scriptedAgent({ tools: [tool('act', { idempotent, run })], steps: [() => calls(['act', {}]), tellsResults] }),
    }
  }

  it('[TOOL2] while a tool runs has it run again under the same id if that does no harm', async () => {
    const { runs, begun, agent } = crashing(true)
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'go')
    await begun.opened
    await crash(stubOf(id))
    await runDurableObjectAlarm(stubOf(id))
    await whenIdle(id)
    expect(runs).toHaveLength(2)
    expect(runs[1]).toBe(runs[0])
    const log = await everyEvent(id)
    expect(resultsIn(messagesIn(log))).toMatchObject([{ output: 'done', isError: false }])
    expect(log.find(({ type }) => type === 'turn.resumed')).not.toHaveProperty('supersedes')
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'completed', attempt: 2 })
  })

  it('[TOOL2] while a tool runs that may not run twice tells the model that the outcome is unknown', async () => {
    const { runs, begun, agent } = crashing(false)
    const id = await newSession({ agent })
    await submit(id, 'go')
    await begun.opened
    await crash(stubOf(id))
    await runDurableObjectAlarm(stubOf(id))
    await whenIdle(id)
    expect(runs).toHaveLength(1)
    const [result] = resultsIn(messagesIn(await everyEvent(id)))
    expect(result).toMatchObject({ isError: true })
    expect(String(result?.output)).toMatch(/^The outcome is unknown/)
  })

  it('[TRN4] between two steps makes only the second again: no tool runs twice', async () => {
    let runs = 0
    let attempts = 0
    const agent = scriptedAgent({
      tools: [tool('act', { idempotent: false, run: async () => ({ output: ++runs }) })],
      steps: [
        () => calls(['act', {}]),
        async function* (request: StepRequest) {
          yield { type: 'text' as const, text: 'Now ' }
          attempts += 1
          if (attempts === 1) await new Promise(() => {})
          yield* tellsResults(request)
        },
      ],
    })
    const id = await newSession({ agent })
    const { turn } = await submit(id, 'go')
    await eventually(
      async () => attempts,
      (count) => count === 1,
    )
    await crash(stubOf(id))
    await runDurableObjectAlarm(stubOf(id))
    await whenIdle(id)
    expect([runs, attempts]).toEqual([1, 2])
    const said = messagesIn(await everyEvent(id)).filter(({ role }) => role === 'assistant')
    expect(said.map(textOf)).toEqual(['', 'Now act: 1'])
    expect(await getTurn(id, turn.id)).toMatchObject({ status: 'completed', attempt: 2 })
  })
})

describe('notes', () => {
  it('[TOOL1] that a tool takes are there for the next step and in /context, outlive eviction, and can be forgotten', async () => {
    const seen: string[][] = []
    const agent = scriptedAgent({
      tools: [
        tool('keep', {
          run: async (input) => ({ output: 'kept', notes: [{ key: 'colour', text: typeof input === 'string' ? input : null }] }),
        }),
      ],
      steps: [
        ({ context }) =>
          calls(['keep', textOf(context.at(-1) ?? { parts: [] }) === 'forget' ? null : textOf(context.at(-1) ?? { parts: [] })]),
        (request) => (seen.push(request.notes.map(({ key, text }) => `${key}: ${text}`)), says('done')),
      ],
    })
    const id = await newSession({ agent })
    await runTurn(id, 'green')
    expect((await getContext(id)).notes).toEqual([{ key: 'colour', text: 'green' }])
    const { head } = await whenIdle(id)
    await evict(stubOf(id))
    expect((await getContext(id)).notes).toEqual([{ key: 'colour', text: 'green' }])
    await runTurn(id, 'blue')
    await crash(stubOf(id))
    expect((await getContext(id)).notes).toEqual([{ key: 'colour', text: 'blue' }])
    expect((await getContext(id, `?at=${head}`)).notes).toEqual([{ key: 'colour', text: 'green' }])
    await runTurn(id, 'forget')
    expect((await getContext(id)).notes).toEqual([])
    expect(seen).toEqual([['colour: green'], ['colour: blue'], []])
  })
})
