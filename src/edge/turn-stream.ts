/** One turn followed to its end, as a stream or by waiting. A client that goes away ends the following, never the turn (rule TRN7). */
import { problem } from './answer.ts'
import { followFrames } from './session-frames.ts'
import type { Asker } from './session-gateway.ts'
import { SseStream } from './sse.ts'
import { TurnFrames } from './turn-frames.ts'

/** `after` is the seq before the turn's first event, or the last one the client has seen. */
export async function turnStream(asker: Asker, turnId: string, after: number): Promise<Response> {
  const stream = new SseStream()
  const frames = new TurnFrames(turnId)
  const sink = {
    frame: (...frame: Parameters<TurnFrames['take']>) => {
      for (const taken of frames.take(...frame)) stream.send(taken)
      if (frames.isEnded) stream.end()
    },
    closed: () => stream.end(),
  }
  const attached = await followFrames(asker, after, sink, stream.ended)
  if (attached.ok) return stream.response(attached.value)
  stream.end()
  return problem(attached.error)
}

/** Resolves when the turn finished or waits, when its session let go, or after this many seconds. */
export async function waitForTurn(asker: Asker, turnId: string, after: number, seconds: number): Promise<void> {
  const frames = new TurnFrames(turnId)
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), seconds * 1000)
  const ended = new Promise((resolve) => over.signal.addEventListener('abort', resolve, { once: true }))
  const sink = {
    frame: (...frame: Parameters<TurnFrames['take']>) => {
      frames.take(...frame)
      if (frames.isEnded) over.abort()
    },
    closed: () => over.abort(),
  }
  // The turn was accepted: failing to follow it is no reason to answer that it was not.
  const isAttached = await followFrames(asker, after, sink, over.signal).then(
    ({ ok }) => ok,
    () => false,
  )
  if (isAttached) await ended
  clearTimeout(timer)
}
