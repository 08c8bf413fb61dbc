import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressGuardOf } from '../../../src/agents/tools/address-guard.ts'
import { createFetchUrl } from '../../../src/agents/tools/fetch-url.ts'
import type { Tool } from '../../../src/agents/tools/tool.ts'
import { loopback, redirectTo, type Loopback } from './loopback.ts'
import { callOf } from './tool-call.ts'

let server: Loopback
let tool: Tool

const bodies: Record<string, [string, string | Uint8Array, number?]> = {
  '/html': ['text/html; charset=utf-8', '<title>T</title><p>Hello <a href="next">you</a><script>no()</script>'],
  '/json': ['application/json', '{"a":1}'],
  '/feed': ['application/atom+xml', '<feed/>'],
  '/none': ['', 'words'],
  '/missing': ['text/plain', 'not here', 404],
  '/latin': ['text/plain; charset=iso-8859-1', Uint8Array.of(0xe9)],
  '/large': ['text/plain', 'x'.repeat(1_500_000)],
  '/picture': ['image/png', Uint8Array.of(1, 2, 3)],
  '/zip': ['application/zip', 'PK'],
  '/odd': ['', Uint8Array.of(65, 0, 66)],
}

beforeAll(async () => {
  server = await loopback(({ path }, response) => {
    const redirects = /^\/hop\/(\d+)$/.exec(path)?.[1]
    if (redirects !== undefined) return redirectTo(response, redirects === '1' ? '/json' : `/hop/${Number(redirects) - 1}`)
    if (path === '/inside') return redirectTo(response, 'https://169.254.169.254/latest/meta-data')
    if (path === '/stall') return
    const [type, body, status = 200] = bodies[path.split('?')[0] ?? ''] ?? ['', '']
    response.writeHead(status, type === '' ? {} : { 'content-type': type }).end(body)
  })
  tool = createFetchUrl(addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: server.host }))
})
afterAll(() => server.close())

const fetched = async (path: string) => (await tool.run({ url: server.url(path) }, callOf())).output

describe('fetch_url', () => {
  it('[TOOL3] a page comes as text', async () => {
    expect(await fetched('/html')).toEqual({
      url: server.url('/html'),
      status: 200,
      contentType: 'text/html; charset=utf-8',
      text: `T\n\nHello [you](${server.url('/next')})`,
      truncated: false,
    })
  })

  it.each([
    ['/json', { text: '{"a":1}', status: 200 }],
    ['/feed', { text: '<feed/>' }],
    ['/none', { text: 'words', contentType: '' }],
    ['/missing', { text: 'not here', status: 404 }],
    ['/latin', { text: 'é' }],
  ])('[TOOL3] other text comes as it is: %s', async (path, expected) => {
    expect(await fetched(path)).toMatchObject({ ...expected, truncated: false })
  })

  it('[TOOL3] reads a mebibyte and no more', async () => {
    expect(await fetched('/large')).toMatchObject({ text: 'x'.repeat(1024 * 1024), truncated: true })
  })

  it.each(['/picture?key=s3cret', '/zip', '/odd'])('[TOOL3] what is not text is refused: %s', async (path) => {
    const refused = fetched(path)
    await expect(refused).rejects.toThrow(/^127\.0\.0\.1:\d+ answered with .* not text\.$/)
    await expect(refused).rejects.not.toThrow('s3cret')
  })

  it('[TOOL4] follows five redirects, and tells where it came out', async () => {
    expect(await fetched('/hop/5')).toMatchObject({ url: server.url('/json'), status: 200 })
    await expect(fetched('/hop/6')).rejects.toThrow('redirects too often: more than 5 times')
  })

  it('[TOOL4] follows no redirect to a private address', async () => {
    await expect(fetched('/inside')).rejects.toThrow(
      'The address redirects elsewhere. Not allowed: 169.254.169.254 is not a public address.',
    )
  })

  it('[TOOL4] reaches no private address by itself', async () => {
    const strict = createFetchUrl(addressGuardOf({}))
    await expect(strict.run({ url: server.url('/json') }, callOf())).rejects.toThrow('Not allowed')
  })

  it('[TOOL5] asks unless a policy allows it, and stops after 15 seconds', () => {
    expect(tool).toMatchObject({ name: 'fetch_url', approval: 'policy', idempotent: true, timeoutMs: 15_000 })
  })

  it('[TOOL1] an abort ends it', async () => {
    const abort = new AbortController()
    const stalled = tool.run({ url: server.url('/stall') }, callOf({ signal: abort.signal }))
    setTimeout(() => abort.abort(new Error('The turn ended')), 50)
    await expect(stalled).rejects.toThrow('The turn ended')
  })

  it.each([{}, { url: 5 }, { url: 'example.com' }, { url: 'https://a.example/', more: 1 }])(
    '[TOOL3] the input %j has a problem',
    (input) => {
      expect(tool.problemOf(input)).toMatch(/^The input is not valid: /)
    },
  )
})
