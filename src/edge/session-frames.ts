/**
 * A session's frames, followed from here: a socket to its object that hibernates like any client's, so that readers who
 * wait cost the object nothing. It ends when the caller aborts it, or when the object lets go.
 */
import { refuse, type ErrorCode, type Result } from '../protocol/errors.ts'
import { closeCodes, type ServerFrame } from '../protocol/frame.ts'
import { attach, type Asker } from './session-gateway.ts'

export interface FrameSink {
  /** Each frame in order, `hello` first. */
  frame(frame: ServerFrame, text: string): void
  closed(): void
}

const codeOfClose: Record<number, ErrorCode> = {
  [closeCodes.badRequest]: 'invalid_request',
  [closeCodes.unauthorized]: 'unauthorized',
  [closeCodes.forbidden]: 'forbidden',
  [closeCodes.notFound]: 'not_found',
  [closeCodes.erased]: 'not_found',
  [closeCodes.tooMany]: 'rate_limited',
}

/** Attaches; resolves with the head once the session has said hello, or with why it did not. */
export async function followFrames(asker: Asker, after: number | null, sink: FrameSink, signal: AbortSignal): Promise<Result<number>> {
  const upgraded = await attach(asker, after, null)
  if (!upgraded.ok) return upgraded
  const socket = upgraded.value.webSocket
  if (!socket) throw new Error(`a session answered its edge's upgrade with status ${upgraded.value.status}`)
  return listen(socket, sink, signal)
}

function listen(socket: WebSocket, sink: FrameSink, signal: AbortSignal): Promise<Result<number>> {
  return new Promise((resolve) => {
    socket.addEventListener('message', ({ data: text }) => {
      if (typeof text !== 'string' || signal.aborted) return
      const frame = JSON.parse(text) as ServerFrame
      if (frame.type === 'hello') resolve({ ok: true, value: frame.head })
      sink.frame(frame, text)
    })
    const ended = (code: number, reason: string) => {
      resolve(refuse(codeOfClose[code] ?? 'internal', reason || 'The session closed the stream.'))
      sink.closed()
    }
    socket.addEventListener('close', ({ code, reason }) => ended(code, reason))
    socket.addEventListener('error', () => ended(1006, ''))
    signal.addEventListener('abort', () => socket.close(1000, 'done'), { once: true })
    socket.accept()
    if (signal.aborted) socket.close(1000, 'done')
  })
}
