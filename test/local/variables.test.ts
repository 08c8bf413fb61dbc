/** Where a local server gets the variables of model providers from, in a checkout of its own. */
import { cpSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { json, smallUpstream } from '../agents/models/small-upstream.ts'
import { commandOf, freePort, groupMembers, ready, run, temporaryFolder } from './local-server.ts'

function checkout(): string {
  const folder = temporaryFolder()
  for (const name of ['src', 'migrations', 'wrangler.toml', 'package.json', 'package-lock.json']) {
    cpSync(name, path.join(folder, name), { recursive: true })
  }
  symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'))
  return folder
}

/** Files below the folder that hold the words. */
function holding(folder: string, words: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name))
  return files.filter((file) => statSync(file).isFile() && readFileSync(file).includes(words))
}

it('[LOC3] providers are configured by .dev.vars and by the environment, which wins; their keys stand nowhere others can read', async () => {
  const secret = 'sk-of-the-dev-vars'
  const upstream = await smallUpstream((response) => json(response, 200, { data: [{ id: 'a' }, { id: 'b' }] }))
  const folder = checkout()
  const lines = [`export OPENAI_API_KEY='${secret}' # mine`, 'OPENAI_BASE_URL = http://127.0.0.1:1/v1', 'DORMOUSE_MODEL="openai/b"']
  writeFileSync(path.join(folder, '.dev.vars'), `${lines.join('\n')}\n`)
  const state = path.join(folder, 'state')
  // The helper passes empty variables; what is not to win over the file is taken out.
  const environment = { DORMOUSE_STATE: state, PORT: String(await freePort()), OPENAI_BASE_URL: upstream.url }
  const server = run(path.join(folder, 'src/local/start.js'), environment, { cwd: folder, unset: ['OPENAI_API_KEY', 'DORMOUSE_MODEL'] })
  const { url, key } = await ready(server)
  const response = await fetch(`${url}/v1/models`, { headers: { Authorization: `Bearer ${key}` } })
  const { items } = (await response.json()) as { items: { id: string; default: boolean }[] }
  expect(items.filter((item) => item.default).map(({ id }) => id)).toEqual(['openai/b'])
  expect(upstream.asked[0]?.headers.authorization).toBe(`Bearer ${secret}`)
  expect(groupMembers(server.pid).map(commandOf).join('\n')).not.toContain(secret)
  expect(holding(state, secret)).toEqual([])
  expect(readFileSync(path.join(state, 'server.log'), 'utf8')).not.toContain('Missing required')
})
