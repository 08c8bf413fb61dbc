/** Clients that read slowly or not at all: nobody else notices, memory stays bounded, and they resume by seq. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/protocol/limits.ts'
import { nodeSession, WireSocket } from './node-host.ts'

/** Generous for one frame: a delta holds 4,096 units and what came with them. */
const oneFrameBytes = 512 * 1024

describe('a client that does not read', () => {
  it('[ATT5] is cut with 4408 above the bound, while another gets everything and the turn ends', async () => {
    const { host, submit, attach } = await nodeSession()
    const [stuck, good] = [new WireSocket(false), new WireSocket(true)]
    await attach(stuck, 0)
    await attach(good, 0)
    await submit('/bytes 6000000')
    await host.pass(10_000)
    expect(stuck.closeCode).toBe(4408)
    expect(stuck.peakBytes).toBeGreaterThan(limits.socketBufferBytes)
    expect(stuck.peakBytes).toBeLessThanOrEqual(limits.socketBufferBytes + oneFrameBytes)
    expect(good.closeCode).toBeNull()
    expect(good.events.map(({ type }) => type).slice(-2)).toEqual(['message.completed', 'turn.completed'])
  })

  it('[ATT5] resumes by the last seq it has, without a gap or a double', async () => {
    const { host, submit, attach } = await nodeSession()
    const stuck = new WireSocket(false)
    await attach(stuck, 0)
    for (const bytes of [1000, 5_000_000, 2000]) {
      await submit(`/bytes ${bytes}`)
      await host.pass(10_000)
    }
    expect(stuck.closeCode).toBe(4408)
    const again = new WireSocket(true)
    await attach(again, stuck.events.at(-1)?.seq ?? 0)
    await host.pass(1000)
    expect(again.isReady).toBe(true)
    expect([...stuck.events, ...again.events].map(({ seq }) => seq)).toEqual(Array.from({ length: 13 }, (_, index) => index + 1))
  })
})

describe('a replay', () => {
  async function longSession() {
    const session = await nodeSession()
    for (let turn = 0; turn < 30; turn++) {
      await session.submit('/bytes 200000')
      await session.host.pass(100)
    }
    return session
  }

  it('[ATT5] waits while its socket’s buffer is full, and never fills it beyond a page', async () => {
    const { host, attach } = await longSession()
    const slow = new WireSocket(false)
    await attach(slow, 0)
    await host.pass(1000)
    const held = slow.events.length
    expect(held).toBeGreaterThan(0)
    expect(slow.isReady).toBe(false)
    await host.pass(5000)
    expect(slow.events).toHaveLength(held)
    while (!slow.isReady) {
      slow.read(100_000)
      await host.pass(100)
    }
    expect(slow.closeCode).toBeNull()
    expect(slow.peakBytes).toBeLessThan(2 * 1024 * 1024)
    expect(slow.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 121 }, (_, index) => index + 1))
  })

  it('[ATT5] whose reader never reads is given up with 4408 after 30 seconds', async () => {
    const { host, attach } = await longSession()
    const stuck = new WireSocket(false)
    await attach(stuck, 0)
    await host.pass(29_000)
    expect(stuck.closeCode).toBeNull()
    await host.pass(2_000)
    expect(stuck.closeCode).toBe(4408)
    expect(stuck.isReady).toBe(false)
  })

  it('[ATT5] takes up what is committed while it waits, once and in order', async () => {
    const { host, submit, attach } = await longSession()
    const slow = new WireSocket(false)
    await attach(slow, 0)
    for (let turn = 0; turn < 5; turn++) {
      await submit('/stream 3 1')
      await host.pass(100)
      slow.read(1_000_000)
    }
    while (!slow.isReady) {
      slow.read()
      await host.pass(100)
    }
    expect(slow.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 141 }, (_, index) => index + 1))
    expect(slow.frames.filter(({ type }) => type === 'delta')).toEqual([])
  })

  it('[ATT5] that ends with an event larger than the bound is not cut: the client is not slow, the event is large', async () => {
    const { host, submit, attach } = await nodeSession()
    await submit('/bytes 6000000')
    await host.pass(10_000)
    const client = new WireSocket(false)
    await attach(client, 0)
    for (let second = 0; second < 20 && !client.isReady && client.closeCode === null; second++) {
      client.read(1_000_000)
      await host.pass(1000)
    }
    expect(client.closeCode).toBeNull()
    expect(client.isReady).toBe(true)
  })
})
