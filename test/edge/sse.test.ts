import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sseFrame, SseStream } from '../../src/edge/sse.ts'
import { limits } from '../../src/protocol/limits.ts'

const MIB = 1024 * 1024
const frame = (text: string) => ({ type: 'delta', text, seq: null })

async function textOf(response: Response): Promise<string> {
  return response.text()
}

describe('a stream of server-sent events', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('[ATT2] only events carry an id, so that a delta never moves a cursor', async () => {
    const stream = new SseStream()
    stream.send(sseFrame({ type: 'event', event: { seq: 7, at: 1, type: 'tokens.revoked' } }))
    stream.send(frame('{"type":"delta"}'))
    stream.end()
    const data = '{"type":"event","event":{"seq":7,"at":1,"type":"tokens.revoked"}}'
    const expected = `event: event\nid: 7\ndata: ${data}\n\nevent: delta\ndata: {"type":"delta"}\n\n`
    expect(await textOf(stream.response(7))).toBe(expected)
  })

  it('[ATT5] a reader who lets too much wait is let go, with what was queued', async () => {
    const stream = new SseStream()
    const response = stream.response(null)
    for (let i = 0; i < 3; i++) stream.send(frame('x'.repeat(MIB)))
    expect(stream.ended.aborted).toBe(false)
    stream.send(frame('y'.repeat(MIB)))
    expect(stream.ended.aborted).toBe(true)
    stream.send(frame('z'))
    const text = await textOf(response)
    expect(text).toContain('y')
    expect(text).not.toContain('z')
  })

  it('[ATT1] a history is paced by its reader: room comes with reading, and with the end', async () => {
    const stream = new SseStream()
    const reader = stream.response(null).body?.getReader()
    stream.isPaced = true
    stream.send(frame('x'.repeat(limits.socketBufferBytes)))
    expect(stream.ended.aborted).toBe(false)
    let hasRoom = false
    const room = stream.room().then(() => (hasRoom = true))
    await vi.advanceTimersByTimeAsync(1)
    expect(hasRoom).toBe(false)
    await reader?.read()
    await room
    stream.send(frame('x'.repeat(limits.socketBufferBytes)))
    const last = stream.room()
    await reader?.cancel()
    await last
    expect(stream.ended.aborted).toBe(true)
  })

  it('[ATT1] says every 15 s that it is alive, and ends after 5 minutes without a frame', async () => {
    const stream = new SseStream()
    await vi.advanceTimersByTimeAsync(4 * 60_000)
    stream.send(frame('late'))
    await vi.advanceTimersByTimeAsync(5 * 60_000 - 1)
    expect(stream.ended.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(stream.ended.aborted).toBe(true)
    const text = await textOf(stream.response(null))
    expect(text.match(/^: keep-alive$/gm)?.length).toBeGreaterThanOrEqual(35)
    expect(vi.getTimerCount()).toBe(0)
  })
})
