/** The README's own examples, run as they stand but for the address, the key and the id that a reader fills in. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunningServer } from './running-server.ts'

const run = promisify(execFile)

let server: RunningServer
let folder: string
let readme: string

beforeAll(async () => {
  server = await RunningServer.start()
  folder = await mkdtemp(path.join(tmpdir(), 'dormouse-readme-'))
  readme = await readFile(path.resolve(import.meta.dirname, '../../README.md'), 'utf8')
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1] ?? '')
}

/** The shell blocks of the conversation in one script; a reader copies the id from the first answer, so does this. */
function conversation(): string {
  const script = blocks('sh')
    .filter((block) => block.includes('$DORMOUSE') || block.includes('export DORMOUSE='))
    .join('echo; echo ----\n')
  return script
    .replace('http://127.0.0.1:8787', server.url)
    .replace('<the key>', server.key)
    .replace(/^(curl .*"First".*)$/m, '$1 | tee created.json')
    .replace('ses_…', '$(grep -o "ses_[0-9A-Z]*" created.json | head -n 1)')
    .replace(/^(curl .*approvals\?status=pending.*)$/m, '$1 | tee approvals.json')
    .replace('apr_…', '$(grep -o "apr_[0-9A-Z]*" approvals.json | head -n 1)')
}

test('[ATT1] the conversation with curl, pasted from the README, and the chat over a socket', async () => {
  const { stdout } = await run('bash', ['-eu', '-c', `${conversation()}\necho; echo "SESSION=$SESSION"`], { cwd: folder })
  expect(stdout).toContain('Hello, Dormouse!')
  expect(stdout).toContain('"type":"turn.completed"')
  expect(stdout).toContain('w1 w2 w3 w4 w5')
  expect(stdout).toMatch(/"status":"allowed"/)
  expect(stdout).toMatch(/"name":"bookkeeper".*"version":1/)
  expect(stdout).toMatch(/"token":"dt_/)
  const [, SESSION = ''] = /SESSION=(ses_\w+)/.exec(stdout) ?? []

  const [chat = ''] = blocks('js')
  await writeFile(path.join(folder, 'chat.mjs'), chat)
  const env = { ...process.env, KEY: server.key, SESSION, DORMOUSE: `${server.url}/v1` }
  const said = await run(process.execPath, ['chat.mjs'], { cwd: folder, env, timeout: 20_000 })
  expect(said.stdout).toContain('Hello again')
})
