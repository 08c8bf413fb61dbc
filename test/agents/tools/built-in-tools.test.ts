import { describe, expect, it } from 'vitest'
import { addressGuardOf } from '../../../src/agents/tools/address-guard.ts'
import { builtInNames } from '../../../src/agents/tools/built-in-names.ts'
import { builtInTools } from '../../../src/agents/tools/built-in-tools.ts'
import { currentTime } from '../../../src/agents/tools/current-time.ts'
import { demoNote } from '../../../src/agents/tools/demo-note.ts'
import { schemaProblem } from '../../../src/agents/tools/json-schema.ts'
import { notes, remember } from '../../../src/agents/tools/note-tools.ts'
import type { Note } from '../../../src/agents/tools/tool.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { callOf } from './tool-call.ts'

const tools = builtInTools(addressGuardOf({}))

describe('the built-in tools', () => {
  it('[TOOL3] are those of their names, each with a usable schema', () => {
    expect(tools.map(({ name }) => name)).toEqual([...builtInNames])
    for (const { name, description, inputSchema } of tools) {
      expect(schemaProblem(inputSchema), name).toBeNull()
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(description.length, name).toBeGreaterThan(20)
    }
  })

  it('[TOOL3] a schema is made once, when it is first asked for', () => {
    for (const tool of tools) expect(tool.inputSchema).toBe(tool.inputSchema)
    expect(remember.inputSchema).toEqual({
      type: 'object',
      properties: {
        key: { type: 'string', minLength: 1, maxLength: 64 },
        text: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] },
      },
      required: ['key', 'text'],
      additionalProperties: false,
    })
  })

  it('[TOOL5] ask where they reach out, or are there to ask', () => {
    expect(tools.filter(({ approval }) => approval !== 'never').map(({ name }) => name)).toEqual(['fetch_url', 'demo_note'])
    expect(tools.filter(({ idempotent }) => !idempotent).map(({ name }) => name)).toEqual(['demo_note'])
  })

  it.each([[null], ['text'], [[]], [{ nonsense: 1 }], [undefined]])('[TOOL3] none takes %j', (input) => {
    for (const tool of tools) expect(tool.problemOf(input), tool.name).toMatch(/^The input is not valid: /)
  })

  it('[TOOL3] a problem names every wrong field', () => {
    expect(remember.problemOf({ key: '', txt: 1 })).toBe(
      'The input is not valid: key must not be empty; text is required; txt is not a field of this tool.',
    )
  })
})

describe('current_time', () => {
  it.each([
    [undefined, { time: '2023-11-14T22:13:20+00:00', weekday: 'Tuesday', timeZone: 'UTC' }],
    ['Europe/Berlin', { time: '2023-11-14T23:13:20+01:00', weekday: 'Tuesday', timeZone: 'Europe/Berlin' }],
    ['Asia/Kathmandu', { time: '2023-11-15T03:58:20+05:45', weekday: 'Wednesday', timeZone: 'Asia/Kathmandu' }],
    ['America/St_Johns', { time: '2023-11-14T18:43:20-03:30', weekday: 'Tuesday', timeZone: 'America/St_Johns' }],
  ])('[TOOL3] tells the time in %s', async (timeZone, output) => {
    expect(await currentTime.run(timeZone === undefined ? {} : { timeZone }, callOf())).toEqual({ output })
    expect(new Date(output.time).getTime()).toBe(1_700_000_000_000)
  })

  it.each(['Mars/Olympus', '', '../etc'])('[TOOL3] there is no time zone %s', async (timeZone) => {
    await expect(currentTime.run({ timeZone }, callOf())).rejects.toThrow('use an IANA name')
  })
})

describe('notes', () => {
  const held = (count: number): Note[] => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, text: 'x' }))

  it('[TOOL3] remember tells what is stored, and gives it to be stored', async () => {
    expect(await remember.run({ key: 'name', text: 'Ada' }, callOf())).toEqual({
      output: { remembered: 'name', text: 'Ada' },
      notes: [{ key: 'name', text: 'Ada' }],
    })
  })

  it('[TOOL3] a null text forgets what there was', async () => {
    const call = callOf({ notes: held(1) })
    expect(await remember.run({ key: 'k0', text: null }, call)).toEqual({ output: { forgotten: 'k0' }, notes: [{ key: 'k0', text: null }] })
    expect(await remember.run({ key: 'other', text: null }, call)).toEqual({ output: 'There is no note other.', notes: [] })
  })

  it('[TOOL3] there are so many notes and no more, but each can be replaced', async () => {
    const full = callOf({ notes: held(limits.notes) })
    await expect(remember.run({ key: 'new', text: 'x' }, full)).rejects.toThrow(`there are ${limits.notes} notes already`)
    expect(await remember.run({ key: 'k0', text: 'y' }, full)).toMatchObject({ notes: [{ key: 'k0', text: 'y' }] })
    expect(await remember.run({ key: 'new', text: 'x' }, callOf({ notes: held(limits.notes - 1) }))).toMatchObject({
      notes: [{ key: 'new' }],
    })
  })

  it.each([
    [{ key: 'k', text: 'é'.repeat(limits.noteBytes / 2) }, null],
    [{ key: 'k', text: 'é'.repeat(limits.noteBytes / 2 + 1) }, `text must be ${limits.noteBytes} bytes at most`],
    [{ key: 'k'.repeat(limits.noteKeyCharacters), text: 'x' }, null],
    [{ key: 'k'.repeat(limits.noteKeyCharacters + 1), text: 'x' }, `key must be ${limits.noteKeyCharacters} characters at most`],
    [{ key: 'a\nb', text: 'x' }, 'key must be one line of plain text'],
    [{ key: 'a\ud800', text: 'x' }, 'key must be one line of plain text'],
    [{ key: 'k', text: '' }, 'text must not be empty'],
  ])('[TOOL3] limits a note, case %#', (input, problem) => {
    if (problem === null) expect(remember.problemOf(input)).toBeNull()
    else expect(remember.problemOf(input)).toContain(problem)
  })

  it('[TOOL3] notes lists them', async () => {
    expect(await notes.run({}, callOf({ notes: held(2) }))).toEqual({ output: { notes: held(2) } })
  })
})

describe('demo_note', () => {
  it('[TOOL5] answers its text, once allowed', async () => {
    expect(demoNote).toMatchObject({ approval: 'policy', idempotent: false })
    expect(await demoNote.run({ text: 'hello' }, callOf())).toEqual({ output: { noted: 'hello' } })
  })
})
