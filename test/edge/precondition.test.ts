import { describe, expect, it } from 'vitest'
import { expectedHead, isUnchanged } from '../../src/edge/precondition.ts'

const noneMatch = (value: string) => new Headers({ 'if-none-match': value })
const match = (value: string) => new Headers({ 'if-match': value })

describe('conditional requests', () => {
  it('[LOG5] If-None-Match holds for the head, weak or in a list, and for nothing else', () => {
    for (const value of ['"7"', 'W/"7"', '"6", "7"', '*', '"x",W/"7"']) expect(isUnchanged(noneMatch(value), 7), value).toBe(true)
    for (const value of ['"70"', '7', '"6"', '""', '"7', 'w/"7"']) expect(isUnchanged(noneMatch(value), 7), value).toBe(false)
    expect(isUnchanged(new Headers(), 7)).toBe(false)
  })

  it('[LOG1] If-Match asks for one head, for any, or for one that never is', () => {
    expect(expectedHead(new Headers())).toEqual({ ok: true, value: null })
    expect(expectedHead(match('*'))).toEqual({ ok: true, value: null })
    expect(expectedHead(match('"17"'))).toEqual({ ok: true, value: 17 })
    for (const never of ['W/"17"', '"017"', '"x"', '""']) expect(expectedHead(match(never)), never).toEqual({ ok: true, value: 0 })
    for (const malformed of ['17', '"17', '"16", "17"']) {
      expect(expectedHead(match(malformed)), malformed).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
    }
  })
})
