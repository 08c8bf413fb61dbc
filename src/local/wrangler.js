// How wrangler is run here: on the Node that came with the packages, without questions, metrics or an account, and with
// its own notes kept in the state folder. Secrets go to it in a file, never on a command line, which every user can read.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { startChild } from './children.js'
import { StartFailure } from './failure.js'
import { root } from './install.js'
import { parseEnv, readText, writeWhole } from './state-folder.js'

const MIGRATIONS = path.join(root, 'migrations')
const CONFIGURATION = path.join(root, 'wrangler.toml')
/** Wrangler's launcher only starts this file in one more process, which a killed launcher leaves behind. */
const PROGRAM = path.join(root, 'node_modules/wrangler/wrangler-dist/cli.js')
const MINIMUM_NODE = [22, 12]
/** What `wrangler dev` would read by itself, were it not told another file; see docs/operations.md for the variables. */
const DEV_VARIABLES = path.join(root, '.dev.vars')
const OPTIONAL_VARIABLES = [
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
  'DORMOUSE_MODEL',
  'DORMOUSE_ALLOW_PRIVATE_HOSTS',
]

/** Applies the migrations of the index to the local database, unless they are the ones applied last time. */
export async function applyMigrations(state, say) {
  const marker = path.join(state.data, 'migrations.sha256')
  const wanted = fingerprint()
  if (readText(marker) === wanted) return
  say('Preparing the session index …')
  const child = run(['d1', 'migrations', 'apply', 'INDEX', '--local', '--persist-to', state.data], state, ['ignore', 'pipe', 'pipe'])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
  const { code } = await child.exited
  if (code !== 0)
    throw new StartFailure(`The session index could not be prepared: ${errorIn(output) || `wrangler ended with exit code ${code}.`}`)
  writeWhole(marker, wanted)
}

/** The configuration counts too: it names the database, and with it the file the migrations went into. */
function fingerprint() {
  const hash = createHash('sha256')
  const files = existsSync(MIGRATIONS) ? readdirSync(MIGRATIONS).sort() : []
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(path.join(MIGRATIONS, file)))
  return hash.update(readFileSync(CONFIGURATION)).digest('hex')
}

/** The server itself. What it says goes straight into the log, which therefore costs this process nothing. */
export function startWorker(state, port, log) {
  const args = ['dev', '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0', '--show-interactive-dev-session=false']
  return run([...args, '--persist-to', state.data, '--env-file', state.secrets], state, ['ignore', log, log])
}

function run(args, state, stdio) {
  return startChild(wranglerNode(), ['--no-warnings', PROGRAM, ...args], { cwd: root, stdio, env: environment(state) })
}

function wranglerNode() {
  const installed = path.join(root, 'node_modules/node/bin/node')
  if (existsSync(installed)) return installed
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return process.execPath
  throw new StartFailure(
    `npm was told to skip install scripts, which left out Node ${MINIMUM_NODE.join('.')}: run "npm ci --ignore-scripts=false".`,
  )
}

/**
 * What .dev.vars says of them; the environment wins, even where it says nothing of one (`OPENAI_API_KEY=`). Each has a value, or
 * wrangler would warn that it is missing. They travel in the environment of our children, which other users cannot read.
 */
function optionalVariables() {
  const told = parseEnv(readText(DEV_VARIABLES) ?? '')
  return Object.fromEntries(OPTIONAL_VARIABLES.map((name) => [name, told[name] ?? '']))
}

/** CLOUDFLARE_ENV would select the deployed configuration; an empty secret would hide the one in the file. */
function environment(state) {
  const inherited = { ...process.env }
  for (const name of ['CLOUDFLARE_ENV', 'NO_COLOR']) delete inherited[name]
  for (const name of ['DORMOUSE_API_KEY', 'DORMOUSE_SECRET']) if (!inherited[name]) delete inherited[name]
  return {
    ...optionalVariables(),
    ...inherited,
    FORCE_COLOR: '0',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_WRITE_LOGS: 'false',
    WRANGLER_REGISTRY_PATH: path.join(state.folder, 'registry'),
  }
}

/** The first error in what wrangler said, on one line; empty if there was none. */
export function errorIn(output) {
  const lines = stripVTControlCharacters(output).split('\n')
  const at = lines.findIndex((line) => line.includes('ERROR]'))
  if (at < 0) return ''
  const errors = lines.slice(at).map((line) => line.replace(/^.*ERROR\]/, '').trim())
  return errors
    .filter((line) => line !== '')
    .slice(0, 2)
    .join(' ')
}
