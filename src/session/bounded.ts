import type { Host } from './host.ts'

class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/** The promise's outcome, or a rejection after `ms`, for parties that may hang. */
export function bounded<T>(host: Host, work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = host.timer(ms, () => reject(new TimedOut(`No answer within ${ms} ms`)))
    work.then(resolve, reject).finally(cancel)
  })
}
