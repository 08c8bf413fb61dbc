// What the local server keeps: DORMOUSE_STATE, by default `.dormouse` in the checkout (git ignores it).
//   secrets.env   the operator's key and the signing secret, readable by the owner alone
//   data/         sessions and the index, as wrangler lays them out
//   server.log    what wrangler and the worker say; server.log.1 is the run before
//   server.json   who serves this folder now, so that no second server opens the same databases
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { StartFailure } from './failure.js'
import { commandOf } from './process-tree.js'

export function openStateFolder(folder) {
  mkdirSync(path.join(folder, 'data'), { recursive: true, mode: 0o700 })
  const place = (name) => path.join(folder, name)
  return { folder, data: place('data'), secrets: place('secrets.env'), log: place('server.log'), lock: place('server.json') }
}

/** Whole or not at all, and no reader but the owner: a torn secrets file would lock its owner out. */
export function writeWhole(file, text) {
  const draft = `${file}.${process.pid}.tmp`
  try {
    const descriptor = openSync(draft, 'w', 0o600)
    try {
      writeSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

export function readText(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

/** Makes the secrets that are missing and returns the key to use. The environment wins: wrangler reads it last. */
export function ensureApiKey(state, environment) {
  const kept = parseEnv(readText(state.secrets) ?? '')
  const made = {
    DORMOUSE_API_KEY: kept.DORMOUSE_API_KEY || `dormouse-${randomBytes(24).toString('hex')}`,
    DORMOUSE_SECRET: kept.DORMOUSE_SECRET || randomBytes(32).toString('hex'),
  }
  const complete = Object.keys(made).every((name) => made[name] === kept[name])
  if (!complete)
    writeWhole(
      state.secrets,
      Object.entries(made)
        .map(([name, value]) => `${name}="${value}"\n`)
        .join(''),
    )
  const key = environment.DORMOUSE_API_KEY || made.DORMOUSE_API_KEY
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new StartFailure('DORMOUSE_API_KEY must be printable ASCII without spaces: it travels in a header.')
  return key
}

/** Lines of `NAME=value`, quoted or not, as people write them into .dev.vars. */
export function parseEnv(text) {
  const lines = text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^#\n]*))/gm)
  return Object.fromEntries([...lines].map(([, name, double, single, bare]) => [name, double ?? single ?? bare.trim()]))
}

/** Opens the log of this run and keeps the one before. */
export function openLog(state) {
  if (readText(state.log)) renameSync(state.log, `${state.log}.1`)
  return openSync(state.log, 'w', 0o600)
}

/** Two servers on one folder would each believe that they alone write to its databases. */
export function requireUnserved(state) {
  const { pid, url } = readLock(state)
  // The id may be a stranger's by now; a server's command line names its state folder.
  if (pid === undefined || !commandOf(pid).includes(state.data)) return
  throw new StartFailure(`A server for ${state.folder} already runs at ${url} (process ${pid}). Stop it with: kill ${pid}`)
}

function readLock(state) {
  try {
    return JSON.parse(readText(state.lock) ?? '{}')
  } catch {
    return {} // torn by a power cut: whoever wrote it is gone
  }
}

export function lock(state, pid, url) {
  writeWhole(state.lock, JSON.stringify({ pid, url }))
}

export function unlock(state) {
  rmSync(state.lock, { force: true })
}
