import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crashSecret } from '../../src/agents/demo-reply.ts'
import { usageText } from '../../src/agents/demo-command.ts'
import { messageIdAt } from '../../src/protocol/ids.ts'
import { answerTo, failureOf, history, messageOf, requestOf, runStep, runTurn, textOf, turnId } from './demo-turn-run.ts'

const pieceTexts = async (input: string) => {
  const { steps } = await runTurn(input)
  return steps[0]?.events.flatMap((event) => (event.type === 'text' || event.type === 'reasoning' ? [event.text] : [])) ?? []
}

describe('an ordinary message', () => {
  it('[DEM2] is repeated, with the number of messages in the context', async () => {
    expect(await answerTo('hello  there\n\tfriend')).toBe('**Demo agent.** My context holds 1 message. You said:\n\nhello  there\n\tfriend')
    expect(await answerTo('hello', history)).toContain('holds 3 messages.')
  })

  it('[DEM2] is streamed word by word, 20 ms apart', async () => {
    const { steps, sleeps } = await runTurn('one two')
    const texts = steps[0]?.events.flatMap((event) => (event.type === 'text' ? [event.text] : [])) ?? []
    expect(texts.slice(-3)).toEqual([' said:', '\n\none', ' two'])
    expect(sleeps).toEqual(texts.slice(1).map(() => 20))
  })

  it('[DEM2] has its files named, by media type where they have no name', async () => {
    const answer = await answerTo([
      { type: 'text', text: 'see' },
      { type: 'file', mediaType: 'image/png', url: 'https://example.org/a.png', name: 'a.png' },
      { type: 'file', mediaType: 'application/pdf', data: 'AAAA' },
    ])
    expect(answer).toMatch(/You said:\n\nsee\n\nFiles: a\.png, application\/pdf$/)
    expect(await answerTo([{ type: 'file', mediaType: 'text/csv', data: 'AAAA' }])).toMatch(/1 message\.\n\nFiles: text\/csv$/)
  })

  it('[DEM2] is found behind the marker of what was left out, even if that bears the id of the turn', async () => {
    const marker = { ...messageOf('user', '[9 earlier messages were left out here.]'), id: messageIdAt(0, 0, turnId) }
    expect(await answerTo('/stream 2', [marker])).toBe('w1 w2')
  })

  it('[DEM2] of white space alone, a mebibyte of it too, is answered at once', async () => {
    const startedAt = performance.now()
    expect(await answerTo(' '.repeat(1024 * 1024))).toBe('**Demo agent.** My context holds 1 message.')
    expect(await answerTo(`/think x${' '.repeat(1024 * 1024)}`)).toBe('x')
    expect(await answerTo(`x${' '.repeat(1024 * 1024)}`)).toMatch(/x$/)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})

describe('commands', () => {
  it('[DEM2] /stream says numbered words, single spaces between', async () => {
    expect(await pieceTexts('/stream 4')).toEqual(['w1', ' w2', ' w3', ' w4'])
    expect(await answerTo('/stream 1')).toBe('w1')
  })

  it('[DEM2] /stream waits as long as it is told, and not at all for 0', async () => {
    expect((await runTurn('/stream 3')).sleeps).toEqual([20, 20])
    expect((await runTurn('/stream 3 700')).sleeps).toEqual([700, 700])
    expect((await runTurn('/stream 3 0')).sleeps).toEqual([])
  })

  it('[DEM2] /stream reaches its bound', async () => {
    const words = (await answerTo('/stream 100000 0')).split(' ')
    expect(words.length).toBe(100_000)
    expect(words.every((word, index) => word === `w${index + 1}`)).toBe(true)
  })

  it('[DEM2] /bytes answers exactly so many characters, each a byte, in a few pieces without a pause', async () => {
    for (const count of [1, 3, 4, 5, 63, 64, 65, 1_000, 300_001]) {
      const text = await answerTo(`/bytes ${count}`)
      expect(text.length).toBe(count)
      expect(JSON.stringify(text).length).toBe(count + 2)
    }
    expect((await pieceTexts('/bytes 1000')).length).toBe(4)
    expect((await runTurn('/bytes 100000')).sleeps).toEqual([])
  })

  it('[DEM2] /bytes reaches its bound, and no two lines of its pattern are the same', async () => {
    const text = await answerTo(`/bytes ${16 * 1024 * 1024}`)
    expect(text.length).toBe(16 * 1024 * 1024)
    const lines = new Set(text.match(/.{64}/g))
    expect(lines.size).toBe((16 * 1024 * 1024) / 64)
  })

  it('[DEM1] /bytes of a smaller number is the beginning of that of a larger one', async () => {
    expect((await answerTo('/bytes 5000')).slice(0, 777)).toBe(await answerTo('/bytes 777'))
  })

  it('[DEM2] /context answers the messages of the context as JSON', async () => {
    const context = [...history, messageOf('user', '/context', 8)]
    expect(JSON.parse(textOf((await runStep(requestOf(context))).parts))).toEqual(context)
  })

  it('[DEM2] /think streams reasoning, then the text', async () => {
    const { steps, sleeps } = await runTurn('/think deep  water')
    expect(steps[0]?.parts.map((part) => part.type)).toEqual(['reasoning', 'text'])
    expect(textOf(steps[0]?.parts ?? [])).toBe('deep  water')
    expect(sleeps.length).toBe((steps[0]?.events.length ?? 0) - 2)
  })

  it('[DEM2] /fail fails with its text, for people to read', async () => {
    expect(await failureOf('/fail the disk is full')).toEqual({ isForPeople: true, message: 'the disk is full' })
  })

  it('[SEC4] /crash throws an error that is not for people and holds what must not leak', async () => {
    const { isForPeople, message } = await failureOf('/crash')
    expect(isForPeople).toBe(false)
    expect(message).toContain(crashSecret)
  })

  it('[DEM2] /tool calls a tool, known or not, and tells what came of it', async () => {
    const called = async (input: string) => (await runTurn(input)).steps[0]?.parts
    expect(await called('/tool calculate  {"expression": "6 * 7"} ')).toMatchObject([
      { type: 'tool-call', toolName: 'calculate', input: { expression: '6 * 7' } },
    ])
    expect(await called('/tool current_time')).toMatchObject([{ toolName: 'current_time', input: {} }])
    expect(await called('/tool no-such_tool [1]')).toMatchObject([{ toolName: 'no-such_tool', input: [1] }])
    expect(await called('/tool __proto__ null')).toMatchObject([{ toolName: '__proto__', input: null }])
  })

  it.each([
    [4, false, '`calculate` answered: 4'],
    ['a\nb', false, '`calculate` answered: a\nb'],
    [{ a: [1] }, false, '`calculate` answered: {"a":[1]}'],
    ['Not allowed: a person denied this call.', true, '`calculate` was not allowed: a person denied this call.'],
    ['The outcome is unknown: the server stopped.', true, '`calculate` failed: The outcome is unknown: the server stopped.'],
    [{ code: 7, why: 'no' }, true, '`calculate` failed: {"code":7,"why":"no"}'],
    [{ result: 42 }, false, '`calculate` answered: 42'],
    [{ noted: 'a "b"' }, false, '`calculate` answered: a "b"'],
    [{}, false, '`calculate` answered: {}'],
    [['x'], false, '`calculate` answered: ["x"]'],
    [null, false, '`calculate` answered: null'],
    ['Not allowed: x', false, '`calculate` answered: Not allowed: x'],
  ])('[DEM2] what came of a call, %j (an error: %s), is told in the next step', async (output, isError, said) => {
    const { steps } = await runTurn('/tool calculate', { outcome: { output, isError } })
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(textOf(steps[1]?.parts ?? [])).toBe(said)
  })

  it('[DEM2] /approve calls demo_note with its text', async () => {
    const { steps } = await runTurn('/approve buy  milk', { outcome: { output: 'noted', isError: false } })
    expect(steps[0]?.parts).toMatchObject([{ type: 'tool-call', toolName: 'demo_note', input: { text: 'buy  milk' } }])
    expect(textOf(steps[1]?.parts ?? [])).toBe('`demo_note` answered: noted')
  })

  it('[DEM2] the input of a call is written in pieces, 20 ms apart, sixteen at most', async () => {
    for (const text of ['x', 'a b '.repeat(10), '😀'.repeat(5_000)]) {
      const { steps, sleeps } = await runTurn(`/approve ${text}`)
      const pieces = steps[0]?.events.flatMap((event) => (event.type === 'tool-input' ? [event.text] : [])) ?? []
      expect(JSON.parse(pieces.join(''))).toEqual({ text: text.trimEnd() })
      expect(pieces.length).toBeGreaterThan(1)
      expect(pieces.length).toBeLessThanOrEqual(16)
      expect(sleeps).toEqual(pieces.slice(1).map(() => 20))
    }
  })

  it('[DEM2] /recall says that it is not available yet', async () => {
    expect(await answerTo('/recall words')).toMatch(/no memory on this server yet/)
  })

  it('[DEM2] what is unknown or malformed gets the list of all commands', async () => {
    for (const input of [
      '/',
      '/nope',
      '/stream',
      '/stream -1',
      '/bytes lots',
      '/fail',
      '/crash now',
      '/approve',
      '/tool',
      '/tool x {',
      '/tool a.b {}',
    ])
      expect(await answerTo(input)).toBe(usageText)
    for (const name of ['stream', 'bytes', 'tool', 'approve', 'recall', 'think', 'context', 'fail', 'crash'])
      expect(usageText).toContain(`/${name}`)
  })
})

describe('any input', () => {
  const inputs = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }).map((text) => `/${text}`),
    fc
      .tuple(
        fc.constantFrom('/stream ', '/bytes ', '/think ', '/context', '/tool ', '/tool x ', '/approve ', '/'),
        fc.string({ unit: 'binary', maxLength: 8 }),
      )
      .map((both) => both.join('')),
  )

  it('[DEM2] is answered with words and a stop', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        const { steps } = await runTurn(input)
        expect(steps.map((step) => step.finishReason)).toEqual(steps.length === 2 ? ['tool-calls', 'stop'] : ['stop'])
        expect(textOf(steps.at(-1)?.parts ?? [])).not.toBe('')
      }),
    )
  })

  it('[DEM1] is answered the same way twice', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        expect(await runTurn(input, { history })).toEqual(await runTurn(input, { history }))
      }),
    )
  })
})

describe('usage and abort', () => {
  it('[DEM1] usage is four characters a token, of the context and of what was said', async () => {
    const { steps } = await runTurn('/stream 10', { history })
    // 'earlier question' 16, 'earlier answer' 14, '/stream 10' 10 characters; each message is rounded up.
    expect(steps[0]?.usage).toEqual({ inputTokens: 4 + 4 + 3, outputTokens: 8, cachedTokens: 0, reasoningTokens: 0 })
  })

  it('[DEM1] the input of a call counts as output', async () => {
    const { steps } = await runTurn('/tool x {"a":"bcd"}')
    expect(steps[0]?.usage).toMatchObject({ outputTokens: 3, reasoningTokens: 0 })
  })

  it('[DEM1] reasoning counts as output, and by itself', async () => {
    const { steps } = await runTurn('/think abcd')
    const reasoning = textOf(steps[0]?.parts ?? [], 'reasoning')
    expect(steps[0]?.usage.reasoningTokens).toBe(Math.ceil(reasoning.length / 4))
    expect(steps[0]?.usage.outputTokens).toBe(Math.ceil((reasoning.length + 4) / 4))
  })

  it('[TRN5] an abort while it waits ends the step with the reason, and nothing is said after it', async () => {
    let pieces = 0
    const sleep = () => (pieces === 2 ? Promise.reject(new Error('superseded')) : Promise.resolve())
    const step = runStep(requestOf([messageOf('user', '/stream 9', 8)], { sleep }), () => void pieces++)
    await expect(step).rejects.toThrow('superseded')
    expect(pieces).toBe(2)
  })
})
