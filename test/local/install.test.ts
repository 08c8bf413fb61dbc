/** The installation that `npm start` and `npm test` begin with, in a checkout of its own, with an npm that writes down how it was called. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { run, temporaryFolder, type Run } from './local-server.ts'

const lock = (version: string) =>
  JSON.stringify({
    packages: {
      '': { name: 'checkout' },
      'node_modules/one': { version },
      'node_modules/elsewhere': { version: '1.0.0', optional: true },
    },
  })

/** What npm leaves behind: the packages, and last of all the lock file of what is there. Optional ones may be missing. */
const installing = (version: string) => `
  import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
  appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n')
  mkdirSync('node_modules', { recursive: true })
  writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/one': { version: '${version}' } } }))
`

function checkout(npm: string): string {
  const folder = temporaryFolder()
  cpSync('src/local', path.join(folder, 'src/local'), { recursive: true })
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(path.join(folder, 'package-lock.json'), lock('1.0.0'))
  mkdirSync(path.join(folder, 'npm'))
  writeFileSync(path.join(folder, 'npm/npm.js'), npm)
  return folder
}

function install(folder: string): Run {
  const environment = { npm_execpath: path.join(folder, 'npm/npm.js'), npm_node_execpath: process.execPath, NODE_ENV: 'production' }
  return run(path.join(folder, 'src/local/install.js'), environment, { cwd: folder })
}

function calls(folder: string): string[] {
  const file = path.join(folder, 'calls')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

describe('installing', () => {
  it('[LOC1] installs what is missing, once, and again when the lock file asks for something else', async () => {
    const folder = checkout(installing('1.0.0'))
    const first = install(folder)
    expect(await first.ended).toBe(0)
    expect(first.stdout()).toBe('Installing packages with npm ci (once; about a minute) …\n')
    expect(calls(folder)).toEqual(['ci --include=dev --no-audit --no-fund --loglevel=error'])

    const second = install(folder)
    expect(await second.ended).toBe(0)
    expect([second.stdout(), calls(folder).length]).toEqual(['', 1])

    writeFileSync(path.join(folder, 'package-lock.json'), lock('2.0.0'))
    expect(await install(folder).ended).toBe(0)
    expect(calls(folder)).toHaveLength(2)

    rmSync(path.join(folder, 'node_modules/.package-lock.json'))
    expect(await install(folder).ended).toBe(0)
    expect(calls(folder)).toHaveLength(3)
  })

  it('[LOC4] a failing npm ci is one line and exit code 1', async () => {
    const folder = checkout(`
      process.stderr.write('npm error code ENOTFOUND\\nnpm error syscall getaddrinfo\\nnpm error network request to the registry failed.\\nnpm error more\\n')
      process.exit(1)
    `)
    const failed = install(folder)
    expect(await failed.ended).toBe(1)
    expect(failed.stderr()).toBe('dormouse: npm ci failed: network request to the registry failed. Run "npm ci" to see all of it.\n')
  })

  it('[LOC2] an installation that is told to end takes npm along', async () => {
    const folder = checkout(`
      import { writeFileSync } from 'node:fs'
      writeFileSync('pid', String(process.pid))
      setInterval(() => {}, 1000)
    `)
    const begun = install(folder)
    const pidFile = path.join(folder, 'pid')
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8'), { timeout: 20_000 }).toMatch(/^\d+$/)
    const npm = Number(readFileSync(pidFile, 'utf8'))
    begun.child.kill('SIGTERM')
    expect(await begun.ended).toBe(1)
    await expect.poll(() => isRunning(npm), { timeout: 5000 }).toBe(false)
  })
})

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
}
