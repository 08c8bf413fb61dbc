/** Streamed words become deltas and parts that always agree, wherever a client comes in. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AgentEvent } from '../../src/agents/agent.ts'
import type { DeltaFrame } from '../../src/protocol/frame.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Part } from '../../src/protocol/message.ts'
import { MessageAssembly } from '../../src/session/message-assembly.ts'

const turnId = `trn_${'0'.repeat(26)}`
const messageId = `msg_${'0'.repeat(26)}`

type AgentSpeech = Exclude<AgentEvent, { type: 'finish' }>

interface Words {
  type: 'text' | 'reasoning'
  text: string
}

/** Halves of surrogate pairs, whole ones, nothing at all, and long runs. */
const units = fc.oneof(
  fc.constantFrom('', 'a', ' word', '\ud83d', '\ude00', '😀', 'é', '\u0000'),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.nat(5_000).map((length) => 'x'.repeat(length)),
)
const speech = fc.array(fc.record({ type: fc.constantFrom('text' as const, 'reasoning' as const), text: units }), { maxLength: 20 })

/** What a client holds: it appends the tail that it has not seen, and a gap is a fault (rule ATT2). */
class Reader {
  readonly parts: { type: string; text: string }[]

  constructor(parts: Part[]) {
    this.parts = parts.map((part) => ({ type: part.type, text: 'text' in part ? part.text : '' }))
  }

  take({ part, kind, offset, text }: DeltaFrame): void {
    if (part > this.parts.length) throw new Error(`Part ${part} follows ${this.parts.length} parts`)
    const held = (this.parts[part] ??= { type: kind, text: '' })
    if (held.type !== kind || offset > held.text.length) throw new Error(`A delta at ${offset} follows ${held.text.length} units`)
    held.text += text.slice(held.text.length - offset)
  }
}

const newAssembly = () => new MessageAssembly(turnId, messageId, 1)

/** One part for each run of one kind, well-formed; parts without a unit are none. */
function plainParts(words: Words[]): Words[] {
  const parts: Words[] = []
  for (const { type, text } of words) {
    const last = parts.at(-1)
    if (last?.type === type) last.text += text
    else parts.push({ type, text })
  }
  return parts.map(({ type, text }) => ({ type, text: text.toWellFormed() })).filter(({ text }) => text !== '')
}

describe('a message in the making', () => {
  it('[ATT2] the deltas put together are the parts, and the parts are what was said', () => {
    fc.assert(
      fc.property(speech, (words) => {
        const assembly = newAssembly()
        const spoken = words.filter(({ text }) => text !== '')
        const frames = [...spoken.flatMap((piece) => assembly.add(piece)), ...assembly.end()]
        const reader = new Reader([])
        for (const frame of frames) reader.take(frame)
        expect(reader.parts).toEqual(assembly.snapshot())
        expect(assembly.units).toBe(reader.parts.reduce((sum, { text }) => sum + text.length, 0))
        expect(reader.parts.map(({ text }) => text).join('')).toBe(
          plainParts(spoken)
            .map(({ text }) => text)
            .join(''),
        )
      }),
    )
  })

  it('[ATT2] no delta is empty, splits a surrogate pair, or is ill-formed', () => {
    fc.assert(
      fc.property(speech, (words) => {
        const assembly = newAssembly()
        const frames = [...words.flatMap((piece) => assembly.add(piece)), ...assembly.end()]
        for (const { text } of frames) {
          expect(text).not.toBe('')
          expect(text.isWellFormed()).toBe(true)
        }
      }),
    )
  })

  it('[ATT3] a client that comes in after any word ends with the same parts, whatever the agent said, empty words too', () => {
    fc.assert(
      fc.property(speech, fc.nat(20), (words, at) => {
        const assembly = newAssembly()
        for (const piece of words.slice(0, at)) assembly.add(piece)
        assembly.flush()
        const reader = new Reader(assembly.snapshot())
        for (const frame of [...words.slice(at).flatMap((piece) => assembly.add(piece)), ...assembly.end()]) reader.take(frame)
        expect(reader.parts).toEqual(assembly.snapshot())
      }),
    )
  })

  it('[ATT2] part numbers count the parts of the completed message, even where an agent opens with an empty word', () => {
    const assembly = newAssembly()
    const frames = [...assembly.add({ type: 'text', text: '' }), ...assembly.add({ type: 'reasoning', text: 'so' }), ...assembly.end()]
    expect(assembly.snapshot()).toEqual([{ type: 'reasoning', text: 'so' }])
    expect(frames.map(({ part }) => part)).toEqual([0])
  })

  it('[ATT2] the first words leave at once, later ones together or by the 4,096', () => {
    const assembly = newAssembly()
    expect(assembly.add({ type: 'text', text: 'first' })).toHaveLength(1)
    expect(assembly.hasPending).toBe(false)
    expect([...assembly.add({ type: 'text', text: ' a' }), ...assembly.add({ type: 'text', text: ' b' })]).toEqual([])
    expect(assembly.hasPending).toBe(true)
    expect(assembly.flush()).toMatchObject([{ offset: 5, text: ' a b' }])
    expect(assembly.add({ type: 'text', text: 'y'.repeat(4095) })).toEqual([])
    expect(assembly.add({ type: 'text', text: 'z' })).toMatchObject([{ offset: 9, text: `${'y'.repeat(4095)}z` }])
    expect(assembly.end()).toEqual([])
  })

  it('[ATT2] half a character at the end becomes U+FFFD when no other half comes', () => {
    const assembly = newAssembly()
    assembly.add({ type: 'text', text: 'a\ud83d' })
    expect(assembly.snapshot()).toEqual([{ type: 'text', text: 'a' }])
    expect(assembly.end()).toMatchObject([{ offset: 1, text: '\ufffd' }])
    expect(assembly.snapshot()).toEqual([{ type: 'text', text: 'a\ufffd' }])
  })

  it('[ATT3] a snapshot is a copy: later words do not change it', () => {
    const assembly = newAssembly()
    assembly.add({ type: 'text', text: 'a' })
    const before = assembly.snapshot()
    assembly.add({ type: 'text', text: 'b' })
    expect(before).toEqual([{ type: 'text', text: 'a' }])
  })
})

/** Calls whose inputs are written side by side, words and the ends of parts between them; some calls are never completed. */
const piece: fc.Arbitrary<AgentSpeech> = fc.oneof(
  fc.record({ type: fc.constantFrom('text' as const, 'reasoning' as const), text: units }),
  fc.record({
    type: fc.constant('tool-input' as const),
    call: fc.constantFrom('a', 'b', 'c'),
    toolName: fc.constant('look'),
    // JSON never begins with half a character.
    text: fc.oneof(
      fc.constant(''),
      units.map((text) => `{${text}`),
    ),
  }),
  fc.record({
    type: fc.constant('part-end' as const),
    part: fc.constantFrom('text' as const, 'reasoning' as const),
    metadata: fc.constant({ x: { y: 1 } }),
  }),
)
const completed = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }).map((names) => {
  return [...new Set(names)].map((call): AgentSpeech => ({ type: 'tool-call', call, toolName: 'look', input: { of: call } }))
})
const withCalls = fc
  .tuple(fc.array(piece, { maxLength: 20 }), completed)
  .chain(([pieces, calls]) =>
    fc.tuple(fc.constant(pieces), fc.constant(calls), fc.array(fc.nat(20), { minLength: calls.length, maxLength: calls.length })),
  )
  .map(([pieces, calls, places]) => {
    // A call is complete once: nothing of it follows.
    const script = [...pieces]
    for (const [index, call] of calls.entries()) script.splice(places[index] ?? 0, 0, call)
    return script.filter(
      (event, at) =>
        event.type !== 'tool-input' || !script.slice(0, at).some((other) => other.type === 'tool-call' && other.call === event.call),
    )
  })

/** What a client holds of each part. One that has no words, as a provider's signature alone, comes with no delta. */
class PartReader {
  readonly texts: string[]

  constructor(parts: Part[]) {
    this.texts = parts.map(streamed)
  }

  take({ part, offset, text }: DeltaFrame): void {
    const held = this.texts[part] ?? ''
    if (offset > held.length) throw new Error(`A delta at ${offset} follows ${held.length} units`)
    this.texts[part] = held + text.slice(held.length - offset)
  }
}

/** The input of a call is a text while it is being written. */
function streamed(part: Part): string {
  if (part.type === 'tool-call') return typeof part.input === 'string' ? part.input : ''
  return 'text' in part ? part.text : ''
}

describe('a message with calls in it', () => {
  it('[ATT2] has deltas that make up its parts, each under its own index and of one kind, however calls grow side by side', () => {
    fc.assert(
      fc.property(withCalls, (script) => {
        const assembly = newAssembly()
        const frames = [...script.flatMap((event) => assembly.add(event)), ...assembly.end()]
        const reader = new PartReader([])
        for (const frame of frames) reader.take(frame)
        const parts = assembly.snapshot()
        for (const [index, part] of parts.entries()) {
          const kinds = new Set(frames.filter((frame) => frame.part === index).map(({ kind }) => kind))
          const isWordless = part.type !== 'tool-call' && streamed(part) === ''
          expect([...kinds]).toEqual(isWordless ? [] : [part.type === 'tool-call' ? 'tool-input' : part.type])
          if (part.type !== 'tool-call' || typeof part.input === 'string') expect(reader.texts[index] ?? '').toBe(streamed(part))
        }
        expect(frames.every(({ part }) => part < parts.length)).toBe(true)
        expect(frames.every(({ text }) => text !== '' && text.isWellFormed())).toBe(true)
      }),
    )
  })

  it('[ATT3] is whole for a client that comes in after any piece', () => {
    fc.assert(
      fc.property(withCalls, fc.nat(20), (script, at) => {
        const assembly = newAssembly()
        for (const event of script.slice(0, at)) assembly.add(event)
        assembly.flush()
        const reader = new PartReader(assembly.snapshot())
        for (const frame of [...script.slice(at).flatMap((event) => assembly.add(event)), ...assembly.end()]) reader.take(frame)
        for (const [index, part] of assembly.snapshot().entries()) {
          if (part.type !== 'tool-call' || typeof part.input === 'string') expect(reader.texts[index] ?? '').toBe(streamed(part))
        }
      }),
    )
  })

  it('[TRN3] keeps the calls that were completed, in their order, with ids of their own, and drops those that were not', () => {
    fc.assert(
      fc.property(withCalls, (script) => {
        const assembly = newAssembly()
        for (const event of script) assembly.add(event)
        assembly.end()
        const kept = assembly.said().filter((part) => part.type === 'tool-call')
        const made = script.flatMap((event) => (event.type === 'tool-call' ? [event.input] : []))
        expect(kept.map(({ input }) => input)).toHaveLength(made.length)
        for (const input of made) expect(kept.map((part) => part.input)).toContainEqual(input)
        expect(assembly.calls().map(({ input }) => input)).toEqual(kept.map(({ input }) => input))
        expect(new Set(kept.map(({ toolCallId }) => toolCallId)).size).toBe(kept.length)
        expect(assembly.said().filter((part) => part.type !== 'tool-call')).toEqual(
          assembly.snapshot().filter((part) => part.type !== 'tool-call'),
        )
      }),
    )
  })

  it('[ATT2] shows a call that came at once as one delta, and one that was opened without a word by its first', () => {
    const assembly = newAssembly()
    expect(assembly.add({ type: 'tool-input', call: 'a', toolName: 'look', text: '' })).toEqual([])
    expect(assembly.hasSpoken).toBe(false)
    const frames = assembly.add({ type: 'tool-call', call: 'b', toolName: 'look', input: { at: 1 } })
    expect(frames).toMatchObject([{ part: 0, kind: 'tool-input', offset: 0, text: '{"at":1}' }])
    expect(assembly.add({ type: 'tool-call', call: 'a', toolName: 'look', input: {} })).toEqual([])
    expect(assembly.flush()).toMatchObject([{ part: 1, offset: 0, text: '{}' }])
  })

  it('[ATT2] gives back what a provider wants with a part, and begins a new part behind it', () => {
    const assembly = newAssembly()
    assembly.add({ type: 'reasoning', text: 'so' })
    assembly.add({ type: 'part-end', part: 'reasoning', metadata: { anthropic: { signature: 's' } } })
    assembly.add({ type: 'reasoning', text: 'then' })
    assembly.add({ type: 'tool-call', call: 'a', toolName: 'look', input: '{', problem: 'No JSON.', metadata: { openai: { id: 1 } } })
    assembly.end()
    expect(assembly.said()).toMatchObject([
      { type: 'reasoning', text: 'so', providerMetadata: { anthropic: { signature: 's' } } },
      { type: 'reasoning', text: 'then' },
      { type: 'tool-call', input: '{', providerMetadata: { openai: { id: 1 } } },
    ])
    expect(assembly.calls()).toEqual([{ toolName: 'look', input: '{', problem: 'No JSON.' }])
  })

  it('[SEC5] is full when it has as many calls as a message may have, each with an id of its own', () => {
    const assembly = newAssembly()
    for (let call = 0; call < limits.toolCallsPerMessage; call++) {
      expect(assembly.isFull).toBe(false)
      assembly.add({ type: 'tool-call', call: `${call}`, toolName: 'look', input: {} })
    }
    expect(assembly.isFull).toBe(true)
    const ids = assembly.said().map((part) => (part.type === 'tool-call' ? part.toolCallId : ''))
    expect(new Set(ids).size).toBe(limits.toolCallsPerMessage)
  })
})
