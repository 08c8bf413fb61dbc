import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressGuardOf, type AddressGuard } from '../../../src/agents/tools/address-guard.ts'
import { guardedFetch } from '../../../src/agents/tools/guarded-fetch.ts'
import { loopback, redirectTo, type Loopback, type Seen } from './loopback.ts'

let server: Loopback
let other: Loopback
let guard: AddressGuard

beforeAll(async () => {
  other = await loopback((request, response) => response.end(JSON.stringify(request)))
  server = await loopback((request, response) => {
    const [, kind = '', status = ''] = request.path.split('/')
    if (kind === 'to') return redirectTo(response, decodeURIComponent(request.path.split('/').slice(3).join('/')), Number(status))
    if (kind === 'loop') return redirectTo(response, '/loop')
    if (kind === 'bare') return response.writeHead(302).end('no location')
    if (kind === 'reset') return response.destroy()
    if (kind === 'stall') return
    response.end(JSON.stringify(request))
  })
  guard = addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: `${server.host},${other.host}` }, async () => ['10.0.0.7'])
})

afterAll(async () => {
  await server.close()
  await other.close()
})

/** What the server at the end was asked. */
async function seenBy(response: Promise<Response>): Promise<Seen> {
  return JSON.parse(await (await response).text())
}

const to = (target: string, status = 302) => server.url(`/to/${status}/${encodeURIComponent(target)}`)
const get = (url: string, maxRedirects = 5) => guardedFetch(guard, url, {}, { maxRedirects })

describe('fetch behind the guard', () => {
  it('[TOOL4] answers what an allowed address says, after redirects too', async () => {
    const response = await get(to(to('/end')))
    expect(response.url).toBe(server.url('/end'))
    expect(await response.json()).toMatchObject({ method: 'GET', path: '/end' })
  })

  it.each([
    ['http://127.0.0.1:1/', 'can be reached over https only'],
    ['https://127.0.0.1:1/', 'is not a public address'],
    ['https://[::1]/', 'is not a public address'],
    ['//169.254.169.254/latest', 'can be reached over https only'],
    ['https://name.example/', 'leads to an address that is not public'],
    ['file:///etc/passwd', 'only https addresses'],
    ['https://u:p@name.example/', 'must not hold a user name or password'],
    ['https://', 'redirects to an address that is not valid'],
  ])('[TOOL4] follows no redirect to %s', async (target, words) => {
    await expect(get(to(target))).rejects.toThrow(words)
    await expect(get(to(to(target)))).rejects.toThrow(words)
  })

  it('[TOOL4] makes no request to an address before it is checked', async () => {
    const before = other.seen.length
    const narrow = addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: server.host })
    await expect(guardedFetch(narrow, to(other.url('/secret')), {}, { maxRedirects: 5 })).rejects.toThrow('over https only')
    await expect(guardedFetch(narrow, other.url('/secret'), {}, { maxRedirects: 5 })).rejects.toThrow('over https only')
    expect(other.seen).toHaveLength(before)
  })

  it('[TOOL4] follows as many redirects as it may and not one more', async () => {
    const before = server.seen.length
    await expect(get(server.url('/loop'), 3)).rejects.toThrow(`${server.host} redirects too often: more than 3 times.`)
    expect(server.seen).toHaveLength(before + 4)
    expect((await get(to('/end'), 1)).status).toBe(200)
    await expect(get(to('/end'), 0)).rejects.toThrow(`${server.host} answered with a redirect (302), and redirects are not followed here.`)
  })

  it('[TOOL4] takes a 3xx without a location for an answer', async () => {
    expect(await (await get(server.url('/bare'))).text()).toBe('no location')
  })

  const secrets = { authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'k', 'webhook-signature': 'v1,s', accept: 'text/plain' }

  it('[TOOL4] sends credentials and signatures to their own origin only', async () => {
    const follow = (url: string) => seenBy(guardedFetch(guard, url, { headers: secrets }, { maxRedirects: 5 }))
    expect(await follow(to('/end'))).toMatchObject({ headers: secrets })
    const { headers } = await follow(to(other.url('/end')))
    expect(headers).toMatchObject({ accept: 'text/plain' })
    for (const name of ['authorization', 'cookie', 'x-api-key', 'webhook-signature']) expect(headers).not.toHaveProperty(name)
  })

  it('[TOOL4] does not send them again when a redirect leads back', async () => {
    const back = await loopback((_request, response) => redirectTo(response, server.url('/end')))
    const open = addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: '127.0.0.1' })
    const seen = await seenBy(guardedFetch(open, to(back.url('/')), { headers: secrets }, { maxRedirects: 5 }))
    await back.close()
    expect(seen.headers).not.toHaveProperty('authorization')
  })

  it.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [302, 'PUT', 'PUT', 'words'],
    [307, 'POST', 'POST', 'words'],
    [308, 'POST', 'POST', 'words'],
  ])('[TOOL4] a %i after %s goes on as %s', async (status, method, expected, body) => {
    const init = { method, body: 'words', headers: { 'content-type': 'text/plain' } }
    const seen = await seenBy(guardedFetch(guard, to('/end', status), init, { maxRedirects: 1 }))
    expect(seen).toMatchObject({ method: expected, body })
    expect(seen.headers['content-type']).toBe(body === '' ? undefined : 'text/plain')
  })

  it('[TOOL4] a body that can be sent only once is not sent twice', async () => {
    const body = new Blob(['words']).stream()
    const init = { method: 'POST', body, duplex: 'half' }
    await expect(guardedFetch(guard, to('/end', 307), init, { maxRedirects: 1 })).rejects.toThrow('can be sent only once')
  })

  it('[TOOL4] tells of a failed connection with the host alone', async () => {
    const failed = get(server.url('/reset/?key=s3cret'))
    await expect(failed).rejects.toThrow(`${server.host} cannot be reached.`)
    await expect(get('not a url')).rejects.toThrow('The address is not a valid URL.')
  })

  it('[TOOL4] stops with the reason of its signal', async () => {
    const abort = new AbortController()
    const stalled = guardedFetch(guard, server.url('/stall'), { signal: abort.signal }, { maxRedirects: 0 })
    setTimeout(() => abort.abort(new Error('enough')), 50)
    await expect(stalled).rejects.toThrow('enough')
  })
})
