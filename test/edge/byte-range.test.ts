import { expect, it } from 'vitest'
import { byteRangeOf } from '../../src/edge/byte-range.ts'

it('[SEC5] a range of bytes is within the body, or refused, or not understood and then the whole', () => {
  const cases: [header: string | null, length: number, range: ReturnType<typeof byteRangeOf>][] = [
    [null, 10, null],
    ['bytes=0-3', 10, { first: 0, last: 3 }],
    ['bytes=3-3', 10, { first: 3, last: 3 }],
    [' Bytes = 4 - 99 ', 10, { first: 4, last: 9 }],
    ['bytes=4-', 10, { first: 4, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-99', 10, { first: 0, last: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-20', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
    ['bytes=5-4', 10, null],
    ['bytes=0-1,3-4', 10, null],
    ['bytes=-', 10, null],
    ['bytes=a-b', 10, null],
    ['items=0-1', 10, null],
    ['bytes=99999999999999999999-', 10, null],
  ]
  for (const [header, length, range] of cases) expect(byteRangeOf(header, length), `${header} of ${length}`).toEqual(range)
})
