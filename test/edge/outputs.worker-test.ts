import { describe, expect, it } from 'vitest'
import { runTurn } from '../session/session-client.ts'
import { calls, scriptedAgent, tool } from '../session/scripted-agent.ts'
import { call, callJson, createSession, tokenOf, type ProblemJson } from './edge-client.ts'

/** A tool that answered this; its output is large, so that the log has a preview of it. */
async function outputOf(output: unknown): Promise<{ id: string; path: string; ref: string }> {
  const agent = scriptedAgent({ tools: [tool('answer', { run: async () => ({ output }) })], steps: [() => calls(['answer', {}])] })
  const { id } = await createSession({ agent })
  const { messages } = await runTurn(id, 'call it')
  const ref = messages.flatMap(({ parts }) => parts).flatMap((part) => (part.type === 'tool-result' ? [part.outputRef ?? ''] : []))[0] ?? ''
  return { id, ref, path: `/v1/sessions/${id}/outputs/${ref}` }
}

const long = 'wörd 👋 '.repeat(10_000)
const bytes = new TextEncoder().encode(long)

describe('the whole output of a tool', () => {
  it('[TOOL3] comes as it was, text or JSON, and as nothing that a browser would run', async () => {
    const { path, ref } = await outputOf(long)
    const response = await call('GET', path)
    expect(await response.text()).toBe(long)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      etag: `"${ref}"`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
      'dormouse-head': expect.stringMatching(/^\d+$/),
    })
    const value = { rows: Array.from({ length: 9000 }, (_, i) => ({ i })) }
    const answer = await call('GET', (await outputOf(value)).path)
    expect([answer.headers.get('content-type'), await answer.json()]).toEqual(['application/json', value])
    const page = await call('GET', (await outputOf(`<script>alert(1)</script>${long}`)).path)
    expect(page.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })

  it('[TOOL3] comes in ranges of bytes that make the whole', async () => {
    const { path, ref } = await outputOf(long)
    const range = (value: string, more: Record<string, string> = {}) => call('GET', path, { headers: { range: value, ...more } })
    const pieces: Uint8Array[] = []
    for (let first = 0; first < bytes.length; first += 33_333) {
      const response = await range(`bytes=${first}-${first + 33_332}`)
      const last = Math.min(first + 33_333, bytes.length) - 1
      expect([response.status, response.headers.get('content-range')]).toEqual([206, `bytes ${first}-${last}/${bytes.length}`])
      pieces.push(new Uint8Array(await response.arrayBuffer()))
    }
    const joined = new Uint8Array(await new Blob(pieces.map((piece) => new Uint8Array(piece))).arrayBuffer())
    expect(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(joined)).toBe(long)
    const beyond = await range(`bytes=${bytes.length}-`)
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${bytes.length}`])
    expect((await beyond.json()) as ProblemJson).toMatchObject({ status: 416, code: 'invalid_request' })
    for (const [value, more, status] of [
      ['bytes=0-9', { 'if-range': `"${ref}"` }, 206],
      ['bytes=0-9', { 'if-range': '"another"' }, 200],
      ['bytes=0-9,20-29', {}, 200],
      ['lines=1', {}, 200],
    ] as const) {
      expect((await range(value, more)).status, value).toBe(status)
    }
  })

  it('[TOOL3] tells its size without its words, and nothing to whoever has it', async () => {
    const { path, ref } = await outputOf(long)
    const head = await call('HEAD', path, { headers: { range: 'bytes=0-9' } })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(bytes.length), ''])
    for (const tag of [`"${ref}"`, `W/"${ref}"`, `"x", "${ref}"`, '*']) {
      const response = await call('GET', path, { headers: { 'if-none-match': tag } })
      expect([response.status, await response.text()], tag).toEqual([304, ''])
    }
    expect((await call('GET', path, { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
  })

  it('[SEC2] is read with the session, and only where it is', async () => {
    const { id, path, ref } = await outputOf(long)
    expect((await call('GET', path, { credential: await tokenOf({ sessionId: id, access: 'read' }) })).status).toBe(200)
    const other = (await createSession()).id
    for (const [address, code] of [
      [`/v1/sessions/${other}/outputs/${ref}`, 'not_found'],
      [`/v1/sessions/${id}/outputs/${ref.replace(/.$/, (last) => (last === '0' ? '1' : '0'))}`, 'not_found'],
      [`/v1/sessions/${id}/outputs/${ref.slice(0, -1)}`, 'invalid_id'],
    ] as const) {
      expect((await callJson<ProblemJson>('GET', address)).json.code, address).toBe(code)
    }
  })
})
