/**
 * A session's events as a stream: hello, everything after a seq, ready, then live. History comes in pages, at the reader's
 * pace, so that its length is no matter; only what happens from then on is followed over a socket.
 */
import { levelOf } from '../protocol/access.ts'
import { PROTOCOL_VERSION, type ServerFrame } from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionAnswer } from '../session/requests.ts'
import { problem } from './answer.ts'
import { followFrames, type FrameSink } from './session-frames.ts'
import { ask, type Asker } from './session-gateway.ts'
import { sseFrame, SseStream } from './sse.ts'

type EventPage = Extract<SessionAnswer<'listEvents'>, { ok: true }>

/** `after` null: from now on. */
export async function eventStream(asker: Asker, after: number | null): Promise<Response> {
  if (after === null) return liveStream(asker)
  const first = await ask(asker, 'listEvents', { after, limit: limits.pageItems })
  if (!first.ok) return problem(first.error, first.head)
  const stream = new SseStream()
  stream.send(sseFrame(helloOf(asker, first.head)))
  // Not awaited: it goes on while the answer streams, and ends with it.
  void catchUp(asker, stream, first, after).catch(() => stream.end())
  return stream.response(first.head)
}

async function liveStream(asker: Asker): Promise<Response> {
  const stream = new SseStream()
  const attached = await followFrames(asker, null, sinkOf(stream, []), stream.ended)
  if (attached.ok) return stream.response(attached.value)
  stream.end()
  return problem(attached.error)
}

async function catchUp(asker: Asker, stream: SseStream, first: EventPage, after: number): Promise<void> {
  let page = first.value
  let reached = after
  stream.isPaced = true
  for (;;) {
    for (const event of page.items) stream.send(sseFrame({ type: 'event', event }))
    reached = page.items.at(-1)?.seq ?? reached
    await stream.room()
    if (stream.ended.aborted) return
    if (page.next === null) break
    const answer = await ask(asker, 'listEvents', { after: page.next, limit: limits.pageItems })
    if (!answer.ok) return stream.end()
    page = answer.value
  }
  stream.isPaced = false
  const attached = await followFrames(asker, reached, sinkOf(stream, ['hello']), stream.ended)
  if (!attached.ok) stream.end()
}

function sinkOf(stream: SseStream, except: ServerFrame['type'][]): FrameSink {
  return {
    frame: (frame, text) => {
      if (!except.includes(frame.type)) stream.send(sseFrame(frame, text))
    },
    closed: () => stream.end(),
  }
}

function helloOf(asker: Asker, head: number): ServerFrame {
  return { type: 'hello', protocol: PROTOCOL_VERSION, sessionId: asker.sessionId, head, access: levelOf(asker.principal) }
}
