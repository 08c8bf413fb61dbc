// Every process the local server starts is started here, so that all of them end with it. They stay in our process group:
// whoever kills the group of `npm start` kills them too.
import { spawn } from 'node:child_process'
import { StartFailure } from './failure.js'
import { descendantsOf, killRemaining } from './process-tree.js'

const GRACE_MS = 5000

const running = new Set()
let noted = []
let closed = false

/** Like `spawn`. A program that cannot be started shows as an exit with code 127, as in a shell. */
export function startChild(command, args, options) {
  if (closed) throw new StartFailure('stopped')
  const child = spawn(command, args, options)
  running.add(child)
  child.exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', () => resolve({ code: 127, signal: null }))
  })
  child.exited.then(() => running.delete(child))
  return child
}

/** Remembers who runs below us now: a descendant can no longer be found once its parent is dead. */
export function noteDescendants() {
  noted = descendantsOf(process.pid)
}

/** Asks every child to end, waits for it, then kills what is left. None can be started any more. */
export async function stopChildren() {
  closed = true
  noted = [...noted, ...descendantsOf(process.pid)]
  const children = [...running]
  for (const child of children) child.kill('SIGTERM')
  const timeout = new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())
  await Promise.race([Promise.all(children.map((child) => child.exited)), timeout])
  killRemaining(noted)
}

/** At once, without asking. */
export function killChildren() {
  killRemaining([...noted, ...descendantsOf(process.pid)])
}
