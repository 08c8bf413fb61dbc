import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { OPERATOR } from '../../src/edge/credentials.ts'
import { ask, type Asker } from '../../src/edge/session-gateway.ts'
import { createSession, readSession } from './edge-client.ts'

type Asked = { key?: string; verb: string }

/** The platform's namespace, with objects that fail as the platform lets them fail before they answer. */
function failing(failures: object[], asked: Asked[]): Env {
  const getByName = (name: string) => {
    const stub = env.SESSIONS.getByName(name)
    return {
      perform(request: Asked & Parameters<typeof stub.perform>[0]) {
        asked.push(request)
        const failure = failures.shift()
        return failure ? Promise.reject(Object.assign(new Error('platform'), failure)) : stub.perform(request)
      },
    }
  }
  return { ...env, SESSIONS: { getByName } as unknown as Env['SESSIONS'] }
}

async function askerOf(failures: object[], key: string | null = null) {
  const { id, head } = await createSession()
  const asked: Asked[] = []
  const asker: Asker = { env: failing(failures, asked), principal: OPERATOR, requestId: 'r', sessionId: id, key }
  return { asker, asked, id, head }
}

describe('asking a session', () => {
  it('[TRN6] asks again with the same key where the platform says so, and the command counts once', async () => {
    const { asker, asked, id, head } = await askerOf([{ retryable: true }, { retryable: true }])
    const answer = await ask(asker, 'update', { patch: { title: 'x' }, ifMatch: null })
    expect(answer).toMatchObject({ ok: true, head: head + 1 })
    expect(asked).toHaveLength(3)
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1)
    expect((await readSession(id)).head).toBe(head + 1)
  })

  it('[TRN6] a key made here cannot be one of a client, whose own key goes through', async () => {
    const { asker, asked } = await askerOf([])
    await ask(asker, 'update', { patch: { title: 'x' }, ifMatch: null })
    await ask({ ...asker, key: 'mine' }, 'update', { patch: { title: 'y' }, ifMatch: null })
    await ask(asker, 'get', {})
    expect(asked[0]?.key).toMatch(/[^ -~]/)
    expect(asked.slice(1).map(({ key }) => key)).toEqual(['mine', undefined])
  })

  it('[TRN6] gives up after three tries, and at once where trying is no use', async () => {
    const thrice = await askerOf([{ retryable: true }, { retryable: true }, { retryable: true }])
    await expect(ask(thrice.asker, 'get', {})).rejects.toThrow('platform')
    expect(thrice.asked).toHaveLength(3)
    const once = await askerOf([{}])
    await expect(ask(once.asker, 'get', {})).rejects.toThrow('platform')
    expect(once.asked).toHaveLength(1)
  })

  it('[SEC5] an overloaded session is a refusal, and is not asked again', async () => {
    const { asker, asked } = await askerOf([{ retryable: true, overloaded: true }])
    expect(await ask(asker, 'get', {})).toMatchObject({ ok: false, error: { code: 'rate_limited' }, head: null })
    expect(asked).toHaveLength(1)
  })
})
