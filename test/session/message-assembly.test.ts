/** Streamed words become deltas and parts that always agree, wherever a client comes in. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeltaFrame } from '../../src/protocol/frame.ts'
import type { Part } from '../../src/protocol/message.ts'
import { MessageAssembly } from '../../src/session/message-assembly.ts'

const turnId = `trn_${'0'.repeat(26)}`
const messageId = `msg_${'0'.repeat(26)}`

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
