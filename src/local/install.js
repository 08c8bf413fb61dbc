// Installs the packages of the lock file when they are not there. "There" is judged by content, not by time stamps, which
// a copy or a checkout scrambles: npm leaves in node_modules a lock file of what it installed.
// Run directly (`node src/local/install.js`) it is the first step of `npm test` on a fresh clone.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { killChildren, startChild } from './children.js'
import { explain, StartFailure } from './failure.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const modules = path.join(root, 'node_modules')

/** Runs `npm ci` unless what the lock file asks for is installed. */
export async function ensureInstalled(say) {
  if (isInstalled()) return
  say('Installing packages with npm ci (once; about a minute) …')
  const { code, output } = await npmCi()
  if (code !== 0) throw new StartFailure(`npm ci failed: ${reasonIn(output)} Run "npm ci" to see all of it.`)
}

function isInstalled() {
  const wanted = readPackages(path.join(root, 'package-lock.json'))
  const found = readPackages(path.join(modules, '.package-lock.json'))
  if (wanted === null || found === null) return false
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === '') return true
    const there = found[place]
    // Optional packages are those of other platforms; npm leaves them out.
    return there === undefined ? entry.optional === true : there.version === entry.version
  })
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return null
  }
}

/** Development packages too, whatever NODE_ENV says: the server that runs locally is one of them. */
async function npmCi() {
  const [command, ...first] = npm()
  const args = [...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const child = startChild(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: pathWithoutModules() },
  })
  let output = ''
  child.stdout.on('data', () => {})
  child.stderr.on('data', (bytes) => (output = (output + bytes).slice(0, 65_536)))
  return { ...(await child.exited), output }
}

/** The npm that runs us, if it does, on its own Node: ours may be the one in node_modules, which npm is about to delete. */
function npm() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env
  return script?.endsWith('.js') && node && !node.startsWith(modules) && existsSync(script) ? [node, script] : ['npm']
}

function pathWithoutModules() {
  const folders = (process.env.PATH ?? '').split(path.delimiter)
  return folders.filter((folder) => !folder.startsWith(modules)).join(path.delimiter)
}

/** npm explains itself in lines that begin with `npm error`; the first are bare codes. */
function reasonIn(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
  const sentence = lines.find((line) => line.includes(' ') && !/^(code|errno|syscall|path) /.test(line))
  return sentence === undefined ? 'npm could not be run.' : `${sentence.replace(/\.$/, '')}.`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('exit', killChildren)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))
  await ensureInstalled((line) => process.stdout.write(`${line}\n`)).catch((error) => {
    process.stderr.write(`dormouse: ${explain(error, modules)}\n`)
    process.exitCode = 1
  })
}
