import { describe, expect, it } from 'vitest'
import type { StoredAgent } from '../../src/protocol/agent.ts'
import { AgentDefinitions } from '../../src/session-index/agent-definitions.ts'

/** A database with one agent in it: what it holds, whether it answers, how often it was asked. */
class Store {
  version: number | null = 1
  isDown = false
  asked = 0
  now = 0
  instructions = 'short'
  readonly definitions = new AgentDefinitions(
    (_tenant, name, version) => this.#answer(name, version),
    () => this.now,
  )

  read(version: number | null = null): Promise<StoredAgent | null> {
    return this.definitions.read('acme', 'helper', version)
  }

  async #answer(name: string, version: number | null): Promise<StoredAgent | null> {
    this.asked += 1
    if (this.isDown) throw new Error('D1_ERROR')
    const found = version ?? this.version
    if (found === null) return null
    return { name, version: found, definition: { instructions: `${found} ${this.instructions}` }, createdAt: 1, updatedAt: found }
  }
}

describe('definitions, as an isolate remembers them', () => {
  it('[AGT1] the newest counts for five seconds, and then the database is asked', async () => {
    const store = new Store()
    expect((await store.read())?.version).toBe(1)
    store.version = 2
    store.now = 4999
    expect((await store.read())?.version).toBe(1)
    expect(store.asked).toBe(1)
    store.now = 5000
    expect((await store.read())?.version).toBe(2)
    expect(store.asked).toBe(2)
  })

  it('[AGT1] that there is none counts as long', async () => {
    const store = new Store()
    store.version = null
    expect([await store.read(), await store.read(), store.asked]).toEqual([null, null, 1])
    store.version = 1
    store.now = 5000
    expect((await store.read())?.version).toBe(1)
  })

  it('[AGT1] a change made here is seen at once, also by whoever asked just before it', async () => {
    const store = new Store()
    await store.read()
    store.version = 2
    store.definitions.forget('acme', 'helper')
    expect((await store.read())?.version).toBe(2)
    store.now = 9000
    const before = store.read()
    store.version = 3
    store.definitions.forget('acme', 'helper')
    await before
    expect((await store.read())?.version).toBe(3)
  })

  it('[AGT1] an unchanged definition is the very same object', async () => {
    const store = new Store()
    const first = await store.read()
    store.now = 60_000
    expect((await store.read())?.definition).toBe(first?.definition)
    expect((await store.read(1))?.definition).toBe(first?.definition)
    expect(store.definitions.peek('acme', 'helper')).toBe(first)
    const together = new Store()
    const [one, other] = await Promise.all([together.read(), together.read()])
    expect(one).toBe(other)
  })

  it('[AGT1] a version is asked for once', async () => {
    const store = new Store()
    store.version = 7
    const pinned = await store.read(3)
    store.now = 1e9
    expect(await store.read(3)).toBe(pinned)
    expect(store.asked).toBe(1)
    expect((await store.read())?.version).toBe(7)
  })

  it('[AGT1] the last answer counts while the database is down, and everybody is not made to wait for it', async () => {
    const store = new Store()
    const first = await store.read()
    store.isDown = true
    store.now = 5000
    expect(await store.read()).toBe(first)
    expect(await store.read()).toBe(first)
    expect(store.asked).toBe(2)
    store.isDown = false
    store.version = 2
    store.now = 10_000
    expect((await store.read())?.version).toBe(2)
    store.isDown = true
    await expect(store.read(99)).rejects.toThrow('D1_ERROR')
    await expect(store.definitions.read('acme', 'unheard of', null)).rejects.toThrow('D1_ERROR')
  })

  it('[AGT1] peeking asks nobody, and tenants do not see each other’s', async () => {
    const store = new Store()
    expect([store.definitions.peek('acme', 'helper'), store.asked]).toEqual([null, 0])
    await store.read()
    store.now = 1e9
    expect(store.definitions.peek('acme', 'helper')?.version).toBe(1)
    expect(store.definitions.peek('other', 'helper')).toBeNull()
  })

  it('[SEC5] what is kept is bounded in bytes, and what is used stays', async () => {
    const store = new Store()
    store.instructions = 'x'.repeat(1024 * 1024)
    await store.read(1)
    for (let version = 2; version <= 40; version++) {
      await store.read(version)
      await store.read(1)
    }
    expect(store.asked).toBe(40)
    await store.read(40)
    expect(store.asked).toBe(40)
    await store.read(5)
    expect(store.asked).toBe(41)
  })
})
