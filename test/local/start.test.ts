/** `npm start` as a newcomer meets it: real processes, a real port, a state folder of its own. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { accepts, commandOf, freePort, groupMembers, ready, signalGroup, start, temporaryFolder, type Ready } from './local-server.ts'

const authorized = ({ key }: Ready) => ({ Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' })

async function createSession(server: Ready, title: string): Promise<number> {
  const response = await fetch(`${server.url}/v1/sessions`, {
    method: 'POST',
    headers: authorized(server),
    body: JSON.stringify({ title }),
  })
  return response.status
}

async function listTitles(server: Ready): Promise<string[]> {
  const response = await fetch(`${server.url}/v1/sessions`, { headers: authorized(server) })
  const page = (await response.json()) as { items: { title: string }[] }
  return page.items.map((item) => item.title)
}

async function waitUntil(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !condition(); tries++) await sleep(50)
}

describe('npm start', () => {
  it('[LOC1] serves from an empty state folder, keeps what it knows, and starts again quickly with the same key', async () => {
    const state = temporaryFolder()
    const port = await freePort()
    const first = start(state, port)
    const before = await ready(first)
    expect(before.url).toBe(`http://127.0.0.1:${port}`)
    expect((await fetch(`${before.url}/healthz`)).status).toBe(200)
    expect(await createSession(before, 'It was here before')).toBe(201)
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)

    const second = start(state, port)
    const after = await ready(second)
    expect(after.key).toBe(before.key)
    expect(await listTitles(after)).toEqual(['It was here before'])
    expect(second.stdout()).not.toContain('Preparing')
    expect(after.afterMs).toBeLessThan(30_000)
  })

  it('[LOC2] Ctrl-C ends every process it started, the port is free, and the exit code is 0', async () => {
    const port = await freePort()
    const server = start(temporaryFolder(), port)
    await ready(server)
    const members = groupMembers(server.pid)
    expect(members.filter((pid) => commandOf(pid).includes('workerd')).length).toBeGreaterThan(0)
    expect(await accepts(port)).toBe(true)
    // A terminal sends it to the whole group, and npm passes it on once more.
    signalGroup(server.pid, 'SIGINT')
    server.child.kill('SIGINT')
    expect(await server.ended).toBe(0)
    expect(groupMembers(server.pid)).toEqual([])
    expect(await accepts(port)).toBe(false)
    expect(server.stderr()).toBe('')
  })

  it('[LOC2] a second Ctrl-C does not wait for anyone', async () => {
    const server = start(temporaryFolder(), await freePort())
    await ready(server)
    const stuck = groupMembers(server.pid).filter((pid) => commandOf(pid).includes('wrangler'))
    for (const pid of stuck) process.kill(pid, 'SIGSTOP')
    server.child.kill('SIGINT')
    await sleep(700)
    const began = performance.now()
    server.child.kill('SIGINT')
    expect(await server.ended).toBe(1)
    expect(performance.now() - began).toBeLessThan(2000)
    await waitUntil(() => groupMembers(server.pid).length === 0)
    expect(groupMembers(server.pid)).toEqual([])
  })

  it('[LOC2] ends, and says so, when the server below it is killed; nothing of it is left', async () => {
    const server = start(temporaryFolder(), await freePort())
    await ready(server)
    const wrangler = groupMembers(server.pid).find((pid) => commandOf(pid).includes('wrangler-dist'))
    process.kill(wrangler ?? 0, 'SIGKILL')
    expect(await server.ended).toBe(1)
    expect(server.stderr()).toMatch(/^dormouse: The server ended \(killed by SIGKILL\)\. See .*server\.log\n$/)
    await waitUntil(() => groupMembers(server.pid).length === 0)
    expect(groupMembers(server.pid)).toEqual([])
  })

  it('[LOC3] secrets are readable by the owner alone and stand on no command line; a key of the environment wins', async () => {
    const state = temporaryFolder()
    const server = start(state, await freePort(), { DORMOUSE_API_KEY: 'a-key-of-my-own' })
    const { url, key } = await ready(server)
    expect(key).toBe('a-key-of-my-own')
    expect(await createSession({ url, key, afterMs: 0 }, 'mine')).toBe(201)
    const kept = readFileSync(path.join(state, 'secrets.env'), 'utf8')
    expect(kept).toMatch(/^DORMOUSE_API_KEY="dormouse-[0-9a-f]{48}"\nDORMOUSE_SECRET="[0-9a-f]{64}"\n$/)
    expect(statSync(path.join(state, 'secrets.env')).mode & 0o777).toBe(0o600)
    const secrets = [key, ...[...kept.matchAll(/"(.*)"/g)].map((match) => match[1] ?? '')]
    const visible = groupMembers(server.pid).map(commandOf).join('\n') + readFileSync(path.join(state, 'server.log'), 'utf8')
    expect(secrets.filter((secret) => visible.includes(secret))).toEqual([])
  })

  it('[LOC4] a port that is taken is one line and exit code 1, before anything is made', async () => {
    const stranger = createServer((_, response) => response.end('not dormouse')).listen(0, '127.0.0.1')
    await new Promise((resolve) => stranger.once('listening', resolve))
    const { port } = stranger.address() as AddressInfo
    const state = temporaryFolder()
    const server = start(state, port)
    expect(await server.ended).toBe(1)
    expect(server.stderr()).toBe(`dormouse: Port ${port} is in use by another program. Choose another: PORT=${port + 1} npm start\n`)
    expect(readdirSync(state)).toEqual(['data'])
    stranger.close()
  })

  it('[LOC4] a second server on one state folder is refused, with the address of the first', async () => {
    const state = temporaryFolder()
    const first = start(state, await freePort())
    const { url } = await ready(first)
    const second = start(state, await freePort())
    expect(await second.ended).toBe(1)
    expect(second.stderr()).toMatch(
      new RegExp(`^dormouse: A server for .* already runs at ${url} \\(process \\d+\\)\\. Stop it with: kill \\d+\\n$`),
    )
    expect(await accepts(Number(new URL(url).port))).toBe(true)
  })

  it('[LOC4] what was left by a server that was killed does not stand in the way', async () => {
    const state = temporaryFolder()
    const port = await freePort()
    const first = start(state, port)
    await ready(first)
    signalGroup(first.pid, 'SIGKILL')
    await first.ended
    await waitUntil(() => groupMembers(first.pid).length === 0)
    expect((await ready(start(state, port))).url).toBe(`http://127.0.0.1:${port}`)
  })

  it.each([
    ['a port that is none', { PORT: '80a' }, 'dormouse: PORT must be a number from 1 to 65535, not "80a".\n'],
    [
      'a key no header can carry',
      { DORMOUSE_API_KEY: 'two words' },
      'dormouse: DORMOUSE_API_KEY must be printable ASCII without spaces: it travels in a header.\n',
    ],
  ])('[LOC4] %s is one line and exit code 1', async (_, environment, line) => {
    const server = start(temporaryFolder(), await freePort(), environment)
    expect(await server.ended).toBe(1)
    expect(server.stderr()).toBe(line)
  })

  it('[LOC4] a state folder that cannot be is one line and exit code 1', async () => {
    const file = path.join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    const server = start(file, await freePort())
    expect(await server.ended).toBe(1)
    expect(server.stderr()).toBe(`dormouse: Cannot write ${file}/data: part of the path is not a folder.\n`)
  })
})
