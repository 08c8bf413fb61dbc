/** What the agent is given: the newest whole turns that fit its window, compared with a plain count over all messages. */
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/protocol/body.ts'
import type { Message } from '../../src/protocol/message.ts'
import { crash, stubOf } from './object-probe.ts'
import { answerOf, getContext, newSession, runTurn, textOf } from './session-client.ts'

const tokensOf = (message: Message) => Math.max(1, Math.ceil(textOf(message).length / 4))
/** What the marker of what was left out may take, and is counted as. */
const markerTokens = 32
const sum = (messages: Message[]) => messages.reduce((total, message) => total + tokensOf(message), 0)

/** From the newest turn backwards, as many whole turns as fit; the newest always. */
function newestWholeTurns(messages: Message[], window: number): Message[] {
  const turnIds = [...new Set(messages.map(({ turnId }) => turnId))]
  let kept: Message[] = []
  for (const turnId of turnIds.toReversed()) {
    const longer = [...messages.filter((message) => message.turnId === turnId), ...kept]
    const marker = longer.length < messages.length ? markerTokens : 0
    if (kept.length > 0 && sum(longer) + marker > window) return kept
    kept = longer
  }
  return kept
}

async function everyMessage(id: string): Promise<Message[]> {
  const page = await answerOf<Page<Message>>(200, 'GET', `/v1/sessions/${id}/messages?limit=200`)
  expect(page.next).toBeNull()
  return page.items
}

/** What the context must be after these messages: the marker counts what was left out. */
function expectContext(given: Message[], messages: Message[], window: number): void {
  const kept = newestWholeTurns(messages, window)
  const omitted = messages.length - kept.length
  if (omitted > 0) {
    expect(given[0]).toMatchObject({ role: 'user' })
    expect(textOf(given[0] ?? { parts: [] })).toContain(omitted === 1 ? '1 earlier message was' : `${omitted} earlier messages were`)
  }
  expect(given.slice(omitted > 0 ? 1 : 0)).toEqual(kept)
}

/** A run of sizes that looks random and is the same every time. */
function sizes(count: number, seed: number): number[] {
  let state = seed
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return 1 + (state % 60_000)
  })
}

describe('the context', () => {
  it('[LOG6] holds the newest whole turns that fit behind a marker, and the agent gets exactly that', async () => {
    const id = await newSession()
    for (let turn = 0; turn < 5; turn++) await runTurn(id, '/bytes 40000')
    const { turn, messages } = await runTurn(id, '/context')
    const path = await everyMessage(id)
    const upToInput = path.slice(0, path.findIndex((message) => message.turnId === turn.id) + 1)
    expect(path).toHaveLength(12)
    const { window } = await getContext(id)
    const given = JSON.parse(textOf(messages.at(-1) ?? { parts: [] })) as Message[]
    expectContext(given, upToInput, window)
    expect(given).toHaveLength(1 + 6 + 1)
  })

  it.each([1, 2, 3])('[LOG6] equals the plain count after every turn, now and looking back, awake and woken (seed %i)', async (seed) => {
    const id = await newSession()
    const views: { head: number; view: Awaited<ReturnType<typeof getContext>> }[] = []
    for (const size of sizes(14, seed)) {
      await runTurn(id, `/bytes ${size}`)
      const messages = await everyMessage(id)
      const view = await getContext(id)
      expectContext(view.messages, messages, view.window)
      const kept = newestWholeTurns(messages, view.window)
      expect(view.tokens).toBe(sum(kept) + (kept.length < messages.length ? markerTokens : 0))
      views.push({ head: 1 + 4 * (views.length + 1), view })
    }
    await crash(stubOf(id))
    for (const { head, view } of views) expect(await getContext(id, `?at=${head}`)).toEqual(view)
  })

  it('[LOG6] never exceeds the window, its marker included', async () => {
    const id = await newSession()
    // 4 + 7,996 tokens a turn: four of them are the window of 32,000 to the last token, and the first was left out.
    for (let turn = 0; turn < 5; turn++) await runTurn(id, '/bytes 31984')
    const { tokens, window, messages } = await getContext(id)
    expect(sum(messages.slice(1))).toBeGreaterThan(0)
    expect(tokens).toBeLessThanOrEqual(window)
  })

  it('[LOG6] is the same for an agent in an object that slept as in one that did not', async () => {
    const ids = [await newSession(), await newSession()]
    const answers: unknown[] = []
    for (const [index, id] of ids.entries()) {
      for (const size of sizes(6, 9)) {
        await runTurn(id, `/bytes ${size}`)
        if (index === 1) await crash(stubOf(id))
      }
      const { messages } = await runTurn(id, '/context')
      const given = JSON.parse(textOf(messages.at(-1) ?? { parts: [] })) as Message[]
      answers.push(given.map(({ seq, role, parts }) => ({ seq, role, parts })))
    }
    expect(answers[1]).toEqual(answers[0])
  })
})
