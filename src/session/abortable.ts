/** Waiting that ends when a signal does: an agent that ignores its signal must not keep the object awake. */
import type { Host } from './host.ts'

export function sleepUntilAborted(host: Host, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const onAbort = () => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = host.timer(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** The same iterator, whose `next` rejects as soon as the signal aborts. One listener for all of it: there are many words. */
export function untilAborted<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Pick<AsyncIterator<T>, 'next'> {
  let rejectPending: ((reason: unknown) => void) | null = null
  signal.addEventListener('abort', () => rejectPending?.(signal.reason), { once: true })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        rejectPending = reject
        iterator.next().then(resolve, reject)
      }),
  }
}
