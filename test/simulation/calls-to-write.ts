/** Draws the tool calls of one answer: good ones, calls of tools that are not there, wrong inputs, and what is no JSON at all. */
import type { Random } from './random.ts'

export interface CallToWrite {
  /** Tells the calls of one answer apart. */
  call: string
  toolName: string
  input: unknown
  problem: string | null
  /** Of the input's text, as it is streamed; none: the call comes at once. */
  pieces: string[]
}

export function callsToWrite(random: Random, ordinal: number, isLate: boolean): CallToWrite[] {
  const count = random.weighted([
    [isLate ? 20 : 3, 0],
    [3, 1],
    [2, 2],
    [1, random.between(3, 5)],
  ])
  return Array.from({ length: count }, (_, index) => callToWrite(random, `${ordinal}.${index}`))
}

function callToWrite(random: Random, place: string): CallToWrite {
  const toolName = random.weighted([
    [4, 'look'],
    [5, 'send'],
    [6, 'pay'],
    [4, 'stamp'],
    [1, 'forbidden'],
    [2, 'note'],
    [0.5, 'dump'],
    [0.5, 'nothing'],
  ])
  const call = `call ${place}`
  const kind = random.weighted([
    [16, 'good'],
    [1, 'wrong'],
    [1, 'broken'],
  ])
  if (kind === 'broken')
    return { call, toolName, input: `{"word": ${place}`, problem: 'The input is no JSON.', pieces: [`{"word": ${place}`] }
  const input = kind === 'good' ? { word: `~run${place}~ 😀` } : { shout: place }
  const text = JSON.stringify(input)
  return { call, toolName, input, problem: null, pieces: random.chance(0.3) ? [] : cut(random, text) }
}

/** Anywhere, within a character too. */
function cut(random: Random, text: string): string[] {
  const at = random.between(1, text.length - 1)
  return random.chance(0.3) ? [text] : [text.slice(0, at), text.slice(at)]
}
