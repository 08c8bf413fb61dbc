import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Part } from '../../src/protocol/message.ts'
import { messageOf, requestOf, runStep, runTurn, type Scenario, type StepRun, textOf, type TurnRun } from './demo-turn-run.ts'

const texts = (run: TurnRun) => run.steps.map((step) => textOf(step.parts))
const reasons = (run: TurnRun) => run.steps.map((step) => step.finishReason)

describe('a steered input', () => {
  it('[DEM3] is acknowledged in the next words, then the stream goes on where it stopped', async () => {
    const run = await runTurn('/stream 5', { steers: [{ afterPieces: 2, input: 'faster' }] })
    expect(texts(run)).toEqual(['w1 w2', 'Steered: faster\n\nw3 w4 w5'])
    expect(reasons(run)).toEqual(['steered', 'stop'])
  })

  it('[DEM3] that arrives when all was said is just acknowledged', async () => {
    const run = await runTurn('/stream 3 0', { steers: [{ afterPieces: 3, input: 'more' }] })
    expect(texts(run)).toEqual(['w1 w2 w3', 'Steered: more'])
    expect(reasons(run)).toEqual(['stop', 'stop'])
  })

  it('[DEM3] interrupts an acknowledged stream again, also before its next word', async () => {
    const steers = [
      { afterPieces: 1, input: 'one' },
      { afterPieces: 2, input: 'two' },
      { afterPieces: 2, input: 'three' },
    ]
    expect(texts(await runTurn('/stream 2 0', { steers }))).toEqual(['w1', 'Steered: one', 'Steered: two\n\nSteered: three\n\nw2'])
  })

  it('[DEM3] that is a command is acknowledged as text, not run', async () => {
    const steers = ['/fail now', '/crash', '/stream 50'].map((input) => ({ afterPieces: 1, input }))
    expect(texts(await runTurn('/stream 2', { steers }))).toEqual([
      'w1',
      'Steered: /fail now\n\nSteered: /crash\n\nSteered: /stream 50\n\nw2',
    ])
  })

  it('[DEM3] that looks like a reply is not counted as one', async () => {
    const steers = [
      { afterPieces: 1, input: 'x\n\nw2 w3' },
      { afterPieces: 3, input: 'Steered: w4' },
    ]
    expect(texts(await runTurn('/stream 4', { steers }))).toEqual(['w1', 'Steered: x\n\nw2 w3\n\nw2', 'Steered: Steered: w4\n\nw3 w4'])
  })

  it('[DEM3] has its files named', async () => {
    const file = { type: 'file' as const, mediaType: 'image/png', data: 'AAAA', name: 'map.png' }
    const run = await runTurn('/stream 1', { steers: [{ afterPieces: 1, input: [{ type: 'text', text: 'here' }, file] }] })
    expect(texts(run)[1]).toBe('Steered: here, map.png')
  })

  it('[DEM3] before the first word is acknowledged first', async () => {
    const steered = messageOf('user', 'hurry', 9)
    const { parts } = await runStep(requestOf([messageOf('user', '/stream 2', 8), steered], { steered: [steered] }))
    expect(textOf(parts)).toBe('Steered: hurry\n\nw1 w2')
  })

  it('[DEM3] does not cut or repeat what is said at once', async () => {
    const whole = textOf((await runTurn('/bytes 1000')).steps[0]?.parts ?? [])
    const run = await runTurn('/bytes 1000', { steers: [{ afterPieces: 2, input: 'stop' }] })
    expect(texts(run)).toEqual([whole, 'Steered: stop'])
    expect(texts(await runTurn('/context', { steers: [{ afterPieces: 1, input: 'again' }] }))[1]).toBe('Steered: again')
  })

  it('[DEM3] that arrives while a call is written or its tool runs is acknowledged above what came of it', async () => {
    const outcome = { output: 42, isError: false, steers: ['later'] }
    const run = await runTurn('/tool calculate {"expression":"6 * 7"}', { steers: [{ afterPieces: 1, input: 'sooner' }], outcome })
    expect(texts(run)).toEqual(['', 'Steered: sooner\n\nSteered: later\n\n`calculate` answered: 42'])
    expect(reasons(run)).toEqual(['tool-calls', 'stop'])
  })

  it('[DEM3] before a call is written is acknowledged first, and one behind its answer after it', async () => {
    const steered = messageOf('user', 'hurry', 9)
    const { parts } = await runStep(requestOf([messageOf('user', '/approve x', 8), steered], { steered: [steered] }))
    expect(parts.map(({ type }) => type)).toEqual(['text', 'tool-call'])
    expect(textOf(parts)).toBe('Steered: hurry')
    const { steps } = await runTurn('/tool calculate')
    const pieces = steps.flatMap(({ events }) => events).length - steps.length
    expect(texts(await runTurn('/tool calculate', { steers: [{ afterPieces: pieces, input: 'more' }] }))[2]).toBe('Steered: more')
  })

  it('[DEM3] cuts reasoning too, which then goes on below the acknowledgement', async () => {
    const run = await runTurn('/think deep water', { steers: [{ afterPieces: 4, input: 'aloud' }] })
    expect(run.steps[1]?.parts.map((part) => part.type)).toEqual(['text', 'reasoning', 'text'])
    expect(run.steps[1]?.parts[0]).toEqual({ type: 'text', text: 'Steered: aloud' })
    const reasoning = run.steps.map((step) => textOf(step.parts, 'reasoning'))
    expect(reasoning.join(' ')).toBe(textOf((await runTurn('/think deep water')).steps[0]?.parts ?? [], 'reasoning'))
  })
})

/** Words by kind, without what the step had to acknowledge; throws if it did not do so first. */
function replyWords({ parts, steered }: StepRun): string[] {
  const acknowledgement = steered.map((message) => `Steered: ${textOf(message.parts)}`).join('\n\n')
  const [first, ...others] = parts
  if (acknowledgement === '') return parts.flatMap(wordsOf)
  if (first?.type !== 'text' || !first.text.startsWith(acknowledgement)) throw new Error('Not acknowledged first.')
  const rest = first.text.slice(acknowledgement.length)
  if (rest !== '' && !rest.startsWith('\n\n')) throw new Error('No paragraph below the acknowledgement.')
  return [...wordsOf({ type: 'text', text: rest }), ...others.flatMap(wordsOf)]
}

function wordsOf(part: Part): string[] {
  if (part.type === 'tool-call') return [`call: ${part.toolName} ${JSON.stringify(part.input)}`]
  if (part.type !== 'text' && part.type !== 'reasoning') throw new Error(`A ${part.type} part.`)
  const words = part.text.split(/\s+/).filter((word) => word !== '')
  return words.map((word) => `${part.type}: ${word}`)
}

describe('any turn', () => {
  const inputs = fc.oneof(
    fc.nat({ max: 30 }).map((words) => `/stream ${words + 1}`),
    fc.nat({ max: 30 }).map((words) => `/stream ${words + 1} 0`),
    fc.string({ unit: 'grapheme' }).map((text) => `say ${text}`),
    fc.constantFrom('/think of w1 and w2', '/bytes 500', '/nope', '/approve w1 w2', '/tool calculate {"expression":"6 * 7"}'),
    fc.json({ maxDepth: 2 }).map((json) => `/tool demo_note ${json}`),
  )
  const steerTexts = fc.oneof(
    fc.constantFrom('w3', 'w1 w2\n\nw3', 'Steered: w1', '/stream 9', '/fail now', 'x ', '\n\n'),
    fc.string({ unit: 'grapheme', minLength: 1 }),
  )
  const scenarios: fc.Arbitrary<Scenario> = fc.record({
    steers: fc.array(fc.record({ afterPieces: fc.integer({ min: 1, max: 40 }), input: steerTexts }), { maxLength: 6 }),
    crashes: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }),
    outcome: fc.record({
      output: fc.oneof(
        fc.constantFrom('', 'w1 w2', 'Steered: w1', 'Not allowed: a person denied this call.'),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      isError: fc.boolean(),
      steers: fc.array(steerTexts, { maxLength: 2 }),
    }),
  })

  it('[DEM3] says every word once, however it is steered and recovered', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, scenarios, async (input, scenario) => {
        const { output, isError } = scenario.outcome ?? { output: null, isError: false }
        const plain = await runTurn(input, { outcome: { output, isError } })
        const run = await runTurn(input, scenario)
        expect(run.steps.flatMap(replyWords)).toEqual(plain.steps.flatMap(replyWords))
        const hasReason = (step: StepRun, index: number) => step.steered.length > 0 || run.steps[index]?.finishReason === 'tool-calls'
        expect(run.steps.slice(1).every(hasReason)).toBe(true)
        expect(run.steps.flatMap(({ parts }) => parts).filter(({ type }) => type === 'tool-call').length).toBeLessThanOrEqual(1)
        expect(run.steps.every((step) => step.parts.length > 0)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  it('[DEM3] can be steered at every word boundary', async () => {
    const words = Array.from({ length: 12 }, (_, index) => `text: w${index + 1}`)
    for (let afterPieces = 1; afterPieces <= 12; afterPieces++) {
      const run = await runTurn('/stream 12', { steers: [{ afterPieces, input: 'w5' }] })
      expect(run.steps.map((step) => replyWords(step).length)).toEqual([afterPieces, 12 - afterPieces])
      expect(run.steps.flatMap(replyWords)).toEqual(words)
    }
  })

  it('[TRN4] that crashed begins its step again from the durable messages', async () => {
    const run = await runTurn('/stream 6', { steers: [{ afterPieces: 2, input: 'on' }], crashes: [5] })
    expect(texts(run)).toEqual(['w1 w2', 'Steered: on\n\nw3 w4 w5 w6'])
  })
})
