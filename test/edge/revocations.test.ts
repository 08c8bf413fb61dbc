import { describe, expect, it } from 'vitest'
import { Revocations } from '../../src/edge/revocations.ts'

function setUp() {
  let now = 0
  let asked = 0
  const revocations = new Revocations(() => now)
  const ask = (id: string, answer: () => Promise<boolean>) => {
    return revocations.isRevoked(id, () => {
      asked++
      return answer()
    })
  }
  return { revocations, ask, pass: (ms: number) => (now += ms), asked: () => asked }
}

const yes = async () => true
const no = async () => false
const fails = () => Promise.reject(new Error('the database is down'))
const hangs = () => new Promise<boolean>(() => {})

describe('revocations', () => {
  it('[SEC6] an answer is good for ten seconds, a revocation for good', async () => {
    const { ask, pass, asked } = setUp()
    expect(await ask('a', no)).toBe(false)
    pass(9_999)
    expect(await ask('a', yes)).toBe(false)
    expect(asked()).toBe(1)
    pass(1)
    expect(await ask('a', yes)).toBe(true)
    pass(1_000_000)
    expect(await ask('a', no)).toBe(true)
    expect(asked()).toBe(2)
  })

  it('[SEC6] a database that fails or hangs leaves the last answer, and lets in who was never asked about', async () => {
    const { ask, pass } = setUp()
    expect(await ask('new', fails)).toBe(false)
    expect(await ask('known', no)).toBe(false)
    pass(10_000)
    expect(await ask('known', hangs)).toBe(false)
    pass(10_000)
    expect(await ask('known', yes)).toBe(true)
  })

  it('[SEC6] a database that hangs is waited for one second, once in ten', async () => {
    const { ask, asked } = setUp()
    const startedAt = performance.now()
    for (let i = 0; i < 5; i++) expect(await ask('a', hangs)).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    expect(asked()).toBe(1)
  })

  it('[SEC6] a key revoked in this isolate is asked about at once', async () => {
    const { ask, revocations } = setUp()
    expect(await ask('a', no)).toBe(false)
    revocations.forget('a')
    expect(await ask('a', yes)).toBe(true)
  })

  it('[SEC5] remembers 10,000 keys at most, the newest ones', async () => {
    const { ask, asked } = setUp()
    for (let i = 0; i <= 10_000; i++) await ask(`key ${i}`, no)
    await ask('key 10000', no)
    await ask('key 1', no)
    expect(asked()).toBe(10_001)
    await ask('key 0', no)
    expect(asked()).toBe(10_002)
  })
})
