/**
 * An object that stops dead in the middle of a turn and is then evicted, while its sockets stay open: what the runtime does
 * to an object it takes for idle. Eviction waits for whatever is under way, so its promises and timers are taken from it.
 */
import { runInDurableObject } from 'cloudflare:test'
import { evict, type Stub } from './object-probe.ts'

const timers = new Set<ReturnType<typeof setTimeout>>()
const start = globalThis.setTimeout

/** Timers that are started from here on can be taken away. Objects run in the isolate of their tests. */
export function watchTimers(): () => void {
  globalThis.setTimeout = Object.assign((callback: () => void, ms?: number) => {
    const timer = start(callback, ms)
    timers.add(timer)
    return timer
  }, start)
  return () => {
    globalThis.setTimeout = start
    timers.clear()
  }
}

/** Nothing that the object starts from here on keeps it alive. */
export async function letGo(stub: Stub): Promise<void> {
  await runInDurableObject(stub, (_, state) => {
    state.waitUntil = () => {}
  })
}

/** It says no further word. Only timers of this one object may have been watched. */
export async function freezeAndEvict(stub: Stub): Promise<void> {
  await runInDurableObject(stub, () => {
    for (const timer of timers) clearTimeout(timer)
  })
  await evict(stub, 'hibernate')
}
