import { describe, expect, it } from 'vitest'
import { Circuit } from '../../../src/agents/models/circuit.ts'

function circuit() {
  const clock = { now: 1000 }
  const breaker = new Circuit(() => clock.now)
  const fail = (times: number) => {
    for (let time = 0; time < times; time++) call((pass) => pass.failed())
  }
  const call = (outcome: (pass: ReturnType<Circuit['enter']>) => void) => {
    const pass = breaker.enter()
    outcome(pass)
    pass.left()
  }
  return { clock, breaker, fail, call }
}

describe('the circuit breaker', () => {
  it('[AGT2] opens after five failures in a row, and says how long it rests', () => {
    const { clock, breaker, fail, call } = circuit()
    fail(4)
    call((pass) => pass.succeeded())
    fail(4)
    expect([breaker.state, breaker.restMs()]).toEqual(['closed', 0])
    fail(1)
    expect([breaker.state, breaker.restMs()]).toEqual(['open', 15_000])
    clock.now += 14_999
    expect([breaker.state, breaker.restMs()]).toEqual(['open', 1])
  })

  it('[AGT2] what says nothing about the provider changes nothing', () => {
    const { breaker, fail, call } = circuit()
    fail(4)
    call(() => {})
    call((pass) => pass.answered())
    fail(1)
    expect(breaker.state).toBe('open')
  })

  it('[AGT2] having rested it lets one call go; its first words close it', () => {
    const { clock, breaker, fail } = circuit()
    fail(5)
    clock.now += 15_000
    expect([breaker.state, breaker.restMs()]).toEqual(['half-open', 0])
    const pass = breaker.enter()
    expect(breaker.restMs()).toBe(1000)
    pass.answered()
    expect([breaker.state, breaker.restMs()]).toEqual(['closed', 0])
    pass.failed()
    fail(3)
    expect(breaker.state).toBe('closed')
    fail(1)
    expect(breaker.state).toBe('open')
  })

  it('[AGT2] the tried call’s failure opens it again; a cancel lets the next one try', () => {
    const { clock, breaker, fail, call } = circuit()
    fail(5)
    clock.now += 15_000
    call((pass) => pass.failed())
    expect([breaker.state, breaker.restMs()]).toEqual(['open', 15_000])
    clock.now += 15_000
    call(() => {})
    expect([breaker.state, breaker.restMs()]).toEqual(['half-open', 0])
  })

  it('[AGT2] a tried call that is never heard of keeps others out for a bounded time', () => {
    const { clock, breaker, fail } = circuit()
    fail(5)
    clock.now += 15_000
    const lost = breaker.enter()
    clock.now += 30_000
    expect(breaker.restMs()).toBe(0)
    const next = breaker.enter()
    lost.failed()
    lost.left()
    expect(breaker.restMs()).toBe(1000)
    next.succeeded()
    expect(breaker.state).toBe('closed')
  })

  it('[AGT2] calls that began before it opened neither close it nor prolong its rest', () => {
    const { clock, breaker, fail } = circuit()
    const early = breaker.enter()
    const other = breaker.enter()
    fail(5)
    clock.now += 5000
    early.failed()
    other.succeeded()
    expect([breaker.state, breaker.restMs()]).toEqual(['open', 10_000])
  })
})
