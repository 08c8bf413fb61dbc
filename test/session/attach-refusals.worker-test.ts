/** Sockets that are not let in, or not any longer: each is closed with the code that says why. */
import { describe, expect, it } from 'vitest'
import { call, newSessionId, tokenOf } from '../edge/edge-client.ts'
import { evict, stubOf } from './object-probe.ts'
import { everyEvent, newSession, runTurn, submit } from './session-client.ts'
import { attach, type SocketClient } from './socket-client.ts'

describe('refusals', () => {
  it('[ATT1] after beyond the head closes 4400, an unknown session 4404, another session’s token 4403', async () => {
    const id = await newSession()
    const { length } = await everyEvent(id)
    expect(await (await attach(id, length + 1)).closed()).toBe(4400)
    expect(await (await attach(newSessionId(), 0)).closed()).toBe(4404)
    const other = await tokenOf({ sessionId: newSessionId(), access: 'write' })
    expect(await (await attach(id, 0, other)).closed()).toBe(4403)
    expect(await (await attach(id, 0, 'nonsense')).closed()).toBe(4401)
    expect(await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read', expiresAt: Date.now() - 1 }))).closed()).toBe(4401)
  })

  it('[ATT5] revoking closes every token’s socket with 4401 and lets keys go on; the token is no good any more', async () => {
    const id = await newSession()
    const token = await tokenOf({ sessionId: id, access: 'write' })
    const [byToken, byKey] = [await (await attach(id, 0, token)).ready(), await (await attach(id, 0)).ready()]
    expect((await call('DELETE', `/v1/sessions/${id}/tokens`)).status).toBe(204)
    expect(await byToken.closed()).toBe(4401)
    expect(await (await attach(id, 0, token)).closed()).toBe(4401)
    await runTurn(id, '/bytes 1')
    await byKey.until(({ seqs }) => seqs.length === 6)
    expect(byToken.seqs.includes(3)).toBe(false)
  })

  it('[ATT5] revoking reaches a socket that hibernates', async () => {
    const id = await newSession()
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read' }))).ready()
    await evict(stubOf(id))
    await call('DELETE', `/v1/sessions/${id}/tokens`)
    expect(await client.closed()).toBe(4401)
  })

  it('[ATT5] a token that expires ends its socket in an object that is awake, and no frame follows', async () => {
    const id = await newSession()
    const expiresAt = Date.now() + 1_500
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read', expiresAt }))).ready()
    await submit(id, '/stream 200 20')
    expect(await client.closed(10_000)).toBe(4401)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    expect(Date.now()).toBeLessThan(expiresAt + 8_000)
  })

  it('[ATT5] a token that expires ends its socket in an object that was evicted and has nothing to do', async () => {
    const id = await newSession()
    await evict(stubOf(id))
    const expiresAt = Date.now() + 3_000
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read', expiresAt }))).ready()
    await evict(stubOf(id))
    expect(client.closeCode).toBeNull()
    expect(await client.closed(10_000)).toBe(4401)
    expect(Date.now()).toBeLessThan(expiresAt + 8_000)
  })

  it('[ATT5] a turn in an object that woke since does not put off the end of an expiring token’s socket', async () => {
    const id = await newSession()
    await evict(stubOf(id))
    const expiresAt = Date.now() + 6_000
    const client = await (await attach(id, 0, await tokenOf({ sessionId: id, access: 'read', expiresAt }))).ready()
    await evict(stubOf(id))
    await runTurn(id, '/bytes 1')
    await client.until(({ seqs }) => seqs.length === 5)
    expect(await client.closed(15_000)).toBe(4401)
    expect(Date.now()).toBeLessThan(expiresAt + 8_000)
  }, 30_000)

  it('[SEC5] the socket after the thousandth is closed with 4429', { timeout: 120_000 }, async () => {
    const id = await newSession()
    const clients: SocketClient[] = []
    for (let from = 0; from < 1000; from += 50) {
      clients.push(...(await Promise.all(Array.from({ length: 50 }, () => attach(id)))))
    }
    await Promise.all(clients.map((client) => client.ready()))
    expect(await (await attach(id)).closed()).toBe(4429)
    await runTurn(id, '/bytes 1')
    for (const client of clients) await client.until(({ seqs }) => seqs.length === 4)
    clients[0]?.socket.close(1000)
    await clients[0]?.closed()
    expect((await (await attach(id)).ready()).closeCode).toBeNull()
    for (const client of clients) client.socket.close(1000)
  })
})
