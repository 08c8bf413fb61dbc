import fc from 'fast-check'
import { expect, it } from 'vitest'
import { demoLimits, parseDemoCommand } from '../../src/agents/demo-command.ts'

const hostileNumbers = [
  '',
  '-1',
  '+1',
  '0',
  'NaN',
  'Infinity',
  '1e3',
  '1.5',
  '0x10',
  '1_000',
  '1,000',
  '٣',
  '３',
  '९',
  '9'.repeat(400),
  '99999999999',
  '5 5 5',
  '5;',
  '\u0000',
]

it('[DEM2] numbers other than plain positive integers are malformed', () => {
  for (const number of hostileNumbers) {
    expect(parseDemoCommand(`/stream ${number}`), number).toEqual({ type: 'usage' })
    expect(parseDemoCommand(`/bytes ${number}`), number).toEqual({ type: 'usage' })
  }
})

it('[DEM2] a pause is a plain integer too, and may be 0', () => {
  for (const pause of ['-1', 'NaN', '1.5', '10001', '٣', '9'.repeat(50)])
    expect(parseDemoCommand(`/stream 5 ${pause}`)).toEqual({ type: 'usage' })
  expect(parseDemoCommand('/stream 5 0')).toEqual({ type: 'stream', words: 5, pauseMs: 0 })
  expect(parseDemoCommand('/stream 5')).toEqual({ type: 'stream', words: 5, pauseMs: 20 })
})

it('[SEC5] every bound is reached and not passed', () => {
  const { words, pauseMs, characters } = demoLimits
  expect(parseDemoCommand(`/stream ${words} ${pauseMs}`)).toEqual({ type: 'stream', words, pauseMs })
  expect(parseDemoCommand(`/bytes ${characters}`)).toEqual({ type: 'bytes', characters })
  expect(parseDemoCommand(`/stream ${words + 1}`)).toEqual({ type: 'usage' })
  expect(parseDemoCommand(`/stream 1 ${pauseMs + 1}`)).toEqual({ type: 'usage' })
  expect(parseDemoCommand(`/bytes ${characters + 1}`)).toEqual({ type: 'usage' })
})

it('[DEM2] a tool is called by a plain name, with JSON or nothing', () => {
  expect(parseDemoCommand('/tool calculate\n{"expression": "1"}')).toEqual({
    type: 'tool',
    toolName: 'calculate',
    input: { expression: '1' },
  })
  expect(parseDemoCommand('/tool x')).toEqual({ type: 'tool', toolName: 'x', input: {} })
  const malformed = ['', '{}', 'a.b {}', 'é {}', `${'x'.repeat(65)} {}`, 'x {', "x {'a': 1}", 'x {} {}', 'x {"a": "\\ud800"}']
  for (const rest of [...malformed, `x ${'['.repeat(100)}${']'.repeat(100)}`])
    expect(parseDemoCommand(`/tool ${rest}`), rest).toEqual({ type: 'usage' })
})

it('[DEM2] only a slash in the very first place makes a command', () => {
  for (const text of ['', ' /crash', 'say /crash', '\n/fail x', '／crash']) expect(parseDemoCommand(text)).toEqual({ type: 'chat' })
})

it('[DEM2] names are exact, and those of JavaScript itself are unknown', () => {
  for (const name of ['Stream', 'streams', 'crash\u0301', 'constructor', '__proto__', 'toString', 'chat', 'usage']) {
    expect(parseDemoCommand(`/${name} 5`)).toEqual({ type: 'usage' })
  }
})

it('[DEM2] white space around arguments is dropped, inside a text it stays', () => {
  expect(parseDemoCommand('/stream\t 5 \n 7  ')).toEqual({ type: 'stream', words: 5, pauseMs: 7 })
  expect(parseDemoCommand('/fail  a  b\nc ')).toEqual({ type: 'fail', text: 'a  b\nc' })
})

it('[DEM2] parsing never throws and keeps every number within its bounds', () => {
  const numbers = fc.oneof(fc.integer().map(String), fc.double().map(String), fc.bigInt().map(String), fc.string({ unit: 'binary' }))
  fc.assert(
    fc.property(fc.constantFrom('stream', 'bytes'), numbers, numbers, (name, first, second) => {
      const command = parseDemoCommand(`/${name} ${first} ${second}`)
      if (command.type === 'stream') {
        expect(command.words).toSatisfy((words: number) => Number.isInteger(words) && words >= 1 && words <= demoLimits.words)
        expect(command.pauseMs).toSatisfy((ms: number) => Number.isInteger(ms) && ms >= 0 && ms <= demoLimits.pauseMs)
      } else if (command.type === 'bytes') {
        expect(command.characters).toSatisfy((count: number) => Number.isInteger(count) && count >= 1 && count <= demoLimits.characters)
      } else expect(command).toEqual({ type: 'usage' })
    }),
  )
})
