// The life of the local server: port, state, packages, index, worker, ready; then it waits for a signal or for the
// worker's death. Whatever ends it, no process it started is left behind.
import { createServer, connect } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killChildren, noteDescendants, stopChildren } from './children.js'
import { explain, StartFailure } from './failure.js'
import { ensureInstalled, root } from './install.js'
import { ensureApiKey, lock, openLog, openStateFolder, readText, requireUnserved, unlock } from './state-folder.js'
import { applyMigrations, errorIn, startWorker } from './wrangler.js'
import { welcome } from './welcome.js'

const READY_MS = 120_000
const POLL_MS = 100
/** A Ctrl-C reaches us from the terminal and again from npm; a second one of the user's comes later than this. */
const SAME_SIGNAL_MS = 500
const NOTE_MS = 15_000

const folder = path.resolve(process.env.DORMOUSE_STATE || path.join(root, '.dormouse'))

let stopping = null

export async function runLocalServer() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void onSignal())
  process.stdout.on('error', () => {}) // the reader of our words may go away; the server stays
  try {
    await start()
  } catch (error) {
    await fail(error)
  }
}

async function start() {
  const port = readPort(process.env.PORT || '8787')
  const url = `http://127.0.0.1:${port}`
  const state = openStateFolder(folder)
  requireUnserved(state)
  await requireFreePort(port)
  await ensureInstalled(say)
  const key = ensureApiKey(state, process.env)
  await applyMigrations(state, say)
  say('Starting the server …')
  const worker = startWorker(state, port, openLog(state))
  lock(state, worker.pid, url)
  worker.exited.then((exit) => onWorkerExit(exit, state))
  await ready(url)
  noteDescendants()
  setInterval(noteDescendants, NOTE_MS) // the runtime restarts after a crash, under another id
  say(welcome(url, key, state))
}

function say(line) {
  process.stdout.write(`${line}\n`)
}

function readPort(text) {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new StartFailure(`PORT must be a number from 1 to 65535, not "${text}".`)
}

/** Knocks first and binds then: on some systems one may bind a port that another program holds for all addresses. */
async function requireFreePort(port) {
  const answered = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
  const code = answered ? 'EADDRINUSE' : await bindError(port)
  if (code === 'EADDRINUSE')
    throw new StartFailure(`Port ${port} is in use by another program. Choose another: PORT=${nextPort(port)} npm start`)
  if (code !== null) throw new StartFailure(`Port ${port} cannot be used (${code}). Choose another: PORT=8787 npm start`)
}

function bindError(port) {
  return new Promise((resolve) => {
    const server = createServer().on('error', (error) => resolve(error.code))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(null)))
  })
}

function nextPort(port) {
  return port < 65_535 ? port + 1 : 8787
}

/** A worker that dies meanwhile ends the wait through `onWorkerExit`. */
async function ready(url) {
  const deadline = Date.now() + READY_MS
  while (Date.now() < deadline) {
    if (await isHealthy(url)) return
    await sleep(POLL_MS)
  }
  throw new StartFailure(`The server did not answer within ${READY_MS / 1000} s. See ${path.join(folder, 'server.log')}`)
}

async function isHealthy(url) {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

async function onWorkerExit({ code, signal }, state) {
  unlock(state)
  if (stopping) return
  const reason = signal ? `killed by ${signal}` : `exit code ${code}`
  await fail(new StartFailure(`The server ended (${reason}). ${errorIn(readText(state.log) ?? '')} See ${state.log}`.replace('  ', ' ')))
}

async function fail(error) {
  if (stopping) return
  stopping = Date.now()
  process.stderr.write(`dormouse: ${explain(error, folder)}\n`)
  await stopChildren()
  process.exit(1)
}

async function onSignal() {
  if (stopping === null) {
    stopping = Date.now()
    await stopChildren()
    process.exit(0)
  }
  if (Date.now() - stopping < SAME_SIGNAL_MS) return
  killChildren()
  process.exit(1)
}
