import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeText, readBounded } from '../../../src/agents/tools/bounded-body.ts'

const never = new AbortController().signal

/** Chunks of one size, made when they are asked for. */
function bodyOf(bytes: number, chunkBytes: number) {
  const made = { bytes: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const length = Math.min(chunkBytes, bytes - made.bytes)
        if (length === 0) return controller.close()
        controller.enqueue(new Uint8Array(length).fill(made.bytes % 251))
        made.bytes += length
      },
      cancel() {
        made.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { made, response: new Response(stream) }
}

describe('a body read up to a limit', () => {
  it('[TOOL3] of 10 MB one chunk more than the limit is read, and the rest is cancelled', async () => {
    const { made, response } = bodyOf(10_000_000, 1000)
    const { bytes, truncated } = await readBounded(response, 50_000, never)
    expect([bytes.length, truncated]).toEqual([50_000, true])
    expect(made).toEqual({ bytes: 51_000, cancelled: true })
  })

  it('[TOOL3] keeps the first bytes, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(300), fc.integer({ min: 1, max: 50 }), fc.nat(300), async (size, chunk, limit) => {
        const whole = new Uint8Array(await bodyOf(size, chunk).response.arrayBuffer())
        const { bytes, truncated } = await readBounded(bodyOf(size, chunk).response, limit, never)
        expect([...bytes]).toEqual([...whole.slice(0, limit)])
        expect(truncated).toBe(size > limit)
      }),
    )
  })

  it('[TOOL3] an answer without a body is empty', async () => {
    expect(await readBounded(new Response(null, { status: 204 }), 10, never)).toEqual({ bytes: new Uint8Array(), truncated: false })
  })

  it('[TOOL3] text is read in its charset, and never ends in half a character', () => {
    const euros = new TextEncoder().encode('€€')
    expect(decodeText({ bytes: euros.slice(0, 5), truncated: true }, 'text/plain')).toBe('€')
    expect(decodeText({ bytes: Uint8Array.of(0x80, 0xe9), truncated: false }, 'text/html; charset="windows-1252"')).toBe('€é')
    expect(decodeText({ bytes: euros, truncated: false }, 'text/plain; charset=nonsense')).toBe('€€')
  })
})
