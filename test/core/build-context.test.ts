/** The messages an agent is given: all that is kept, a marker for the rest, and a result for every tool call. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildContext } from '../../src/core/build-context.ts'
import { MessageSchema, type Message, type Part } from '../../src/protocol/message.ts'
import { messageIdAt, turnIdAt } from '../../src/protocol/ids.ts'
import { parseWith } from '../../src/protocol/json.ts'
import { moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'
import { busySession, type SessionDriver } from './session-driver.ts'

const turnId = turnIdAt(2, '0123456789ABCDEF')

const text = (words: string): Part => ({ type: 'text', text: words })
const call = (toolCallId: string): Part => ({ type: 'tool-call', toolCallId, toolName: `tool of ${toolCallId}`, input: {} })
const result = (toolCallId: string): Part => ({ type: 'tool-result', toolCallId, toolName: 'look', output: 'found', isError: false })

function messageAt(seq: number, role: Message['role'], parts: Part[]): Message {
  return { id: messageIdAt(seq, 0, turnId), seq, turnId, role, parts, createdAt: 1000 + seq }
}

/** Messages with up to three tool calls each; the tools among `answered` have a result in a message of their own. */
const conversation = fc.array(fc.record({ calls: fc.nat(3), answered: fc.nat(3) }), { maxLength: 12 }).map((turns) =>
  turns.flatMap(({ calls, answered }, turn): Message[] => {
    const ids = Array.from({ length: calls }, (_, index) => `call ${turn}.${index}`)
    const results = ids.slice(0, answered).map(result)
    const asked = messageAt(10 * turn + 1, 'assistant', [text('Let me see.'), ...ids.map(call)])
    return results.length > 0 ? [asked, messageAt(10 * turn + 2, 'tool', results)] : [asked]
  }),
)

describe('the context', () => {
  test('[TRN3] holds one result for every tool call, after it, and nothing of what was kept is changed or moved', () => {
    fc.assert(
      fc.property(conversation, (kept) => {
        const context = buildContext(kept, 0)
        expect(context.filter((message) => kept.includes(message))).toEqual(kept)
        const order = context.flatMap((message) => message.parts.flatMap(toolIdOf))
        const calls = kept.flatMap((message) => message.parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : [])))
        expect(order.toSorted()).toEqual([...calls, ...calls].toSorted())
        expect(context.flatMap(resultsBeforeTheirCalls(context))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] has no two messages of one id, and each is a message as the wire knows it', () => {
    fc.assert(
      fc.property(conversation, fc.nat(3), (kept, omitted) => {
        const context = buildContext(kept, omitted)
        expect(new Set(context.map(({ id }) => id)).size).toBe(context.length)
        for (const message of context) expect(parseWith(MessageSchema, message)).toEqual({ ok: true, value: message })
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] a call whose turn ended before its tool did gets an error for a result', () => {
    const asked = messageAt(4, 'assistant', [text('Let me see.'), call('a'), call('b')])
    const context = buildContext([asked, messageAt(5, 'tool', [result('a')])], 0)
    expect(context[1]).toMatchObject({
      seq: 4,
      turnId,
      role: 'tool',
      parts: [{ type: 'tool-result', toolCallId: 'b', toolName: 'tool of b', isError: true }],
    })
    expect(context.map(({ role }) => role)).toEqual(['assistant', 'tool', 'tool'])
  })

  test('[TRN3] of any history gives every call one result, in the message right behind it or in one of those that follow on', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const kept = messagesOf(driver)
        const context = buildContext(kept, 0)
        expect(context.filter((message) => kept.includes(message))).toEqual(kept)
        const ids = (type: Part['type']) => context.flatMap(({ parts }) => parts.filter((part) => part.type === type).flatMap(toolIdOf))
        expect(ids('tool-result').toSorted()).toEqual(ids('tool-call').toSorted())
        expect(context.flatMap(callsAnsweredLate)).toEqual([])
        expect(new Set(context.map(({ id }) => id)).size).toBe(context.length)
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN3] of a turn that was cancelled while it asked holds the result there is, and an error for the call that never ran', () => {
    const driver = busySession()
    const ask = { type: 'ask', idempotent: false, inputHash: 'hash', expiresInMs: 1000 } as const
    driver.perform(driver.callTools([{ type: 'run', idempotent: false }, ask]))
    driver.perform(driver.finishTool(0))
    driver.perform(driver.cancel(driver.state.active?.turnId ?? ''))
    const results = buildContext(messagesOf(driver), 0).flatMap(({ parts }) => parts.filter((part) => part.type === 'tool-result'))
    expect(results).toMatchObject([
      { toolName: 'tool1', isError: true },
      { toolName: 'tool0', output: 'found', isError: false },
    ])
  })

  test('[CMP2] says first how many messages were left out', () => {
    const kept = [messageAt(7, 'user', [text('Hi')])]
    const [one, many] = [buildContext(kept, 1), buildContext(kept, 12)]
    expect(one[0]).toMatchObject({ role: 'user', turnId, parts: [{ text: expect.stringContaining('1 earlier message was left out') }] })
    expect(many[0]).toMatchObject({ role: 'user', turnId, parts: [{ text: expect.stringContaining('12 earlier messages were left out') }] })
    expect([one.slice(1), many.slice(1)]).toEqual([kept, kept])
  })

  test('[CMP2] has no marker when nothing was left out, or when there is nothing at all', () => {
    const kept = [messageAt(7, 'user', [text('Hi')])]
    expect(buildContext(kept, 0)).toEqual(kept)
    expect(buildContext([], 3)).toEqual([])
  })
})

function toolIdOf(part: Part): string[] {
  return part.type === 'tool-call' || part.type === 'tool-result' ? [part.toolCallId] : []
}

function resultsBeforeTheirCalls(context: Message[]) {
  return (message: Message, index: number): Part[] =>
    message.parts.filter(
      (part) => part.type === 'tool-result' && !context.slice(0, index).some((earlier) => asks(earlier, part.toolCallId)),
    )
}

function asks({ parts }: Message, toolCallId: string): boolean {
  return parts.some((part) => part.type === 'tool-call' && part.toolCallId === toolCallId)
}

/** Inputs aside, which hold no calls. */
function messagesOf(driver: SessionDriver): Message[] {
  return driver.eventsOf('message.completed').map(({ message }) => message)
}

/** A provider wants all results before anybody else speaks. */
function callsAnsweredLate({ parts }: Message, index: number, context: Message[]): string[] {
  const end = context.findIndex(({ role }, at) => at > index && role !== 'tool')
  const answers = context.slice(index + 1, end < 0 ? undefined : end)
  const answered = answers.flatMap((answer) => answer.parts.flatMap(toolIdOf))
  return parts.flatMap((part) => (part.type === 'tool-call' && !answered.includes(part.toolCallId) ? [part.toolCallId] : []))
}
