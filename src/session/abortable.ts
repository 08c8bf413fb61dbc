/** Waiting that ends when a signal does: whoever ignores its signal must not keep the object awake. */
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

/** The promise's outcome, or a rejection with the signal's reason, whichever comes first. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
