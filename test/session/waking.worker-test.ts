/** Waking reads a bounded number of rows, whatever is in the log: its length, large inputs, large answers. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { crash, grow, stubOf } from './object-probe.ts'
import { getSession, newSession, runTurn } from './session-client.ts'

const maxRows = 64

/** The console is where an object's log goes; this one listens to it. */
const info = vi.spyOn(console, 'info')
beforeEach(() => void info.mockReset())

function wakeUps(): { head: number; rowsRead: number }[] {
  const lines = info.mock.calls.map(([line]) => JSON.parse(String(line)) as { event: string; head: number; rowsRead: number })
  return lines.filter(({ event }) => event === 'session.woke')
}

/** Rows that the object says it read when it woke from a crash. */
async function rowsToWake(id: string): Promise<number> {
  info.mockReset()
  await crash(stubOf(id))
  const { head } = await getSession(id)
  const [woke] = wakeUps()
  if (woke?.head !== head) throw new Error('It did not wake')
  return woke.rowsRead
}

describe('waking', () => {
  it('[LOG6] reads the same number of rows after 10,017 events as after 161, and 64 at most', async () => {
    const rows: number[] = []
    // Two rows a turn and a snapshot every 32 rows: both lengths lie equally far behind one.
    for (const turns of [40, 2_504]) {
      const id = await newSession()
      await grow(id, turns)
      rows.push(await rowsToWake(id))
    }
    expect(rows[1]).toBe(rows[0])
    expect(rows[0]).toBeLessThanOrEqual(maxRows)
  })

  it('[LOG6] reads 64 rows at most at every place between two snapshots', async () => {
    const id = await newSession()
    const rows: number[] = []
    for (let turn = 0; turn < 40; turn++) {
      await runTurn(id, '/bytes 1')
      rows.push(await rowsToWake(id))
    }
    expect(Math.max(...rows)).toBeLessThanOrEqual(maxRows)
    expect(rows.filter((count, index) => count < (rows[index - 1] ?? 0))).not.toEqual([])
  })

  // The demo agent says plain words one by one; a command that it does not know it answers at once, however long it is.
  it.each([
    ['inputs of 1 MiB', Array<string>(14).fill(`/${'x'.repeat(1024 * 1024 - 64)}`)],
    ['answers of 2 MB', Array<string>(14).fill('/bytes 2000000')],
  ])('[LOG4] reads 64 rows at most with %s', { timeout: 120_000 }, async (_, inputs) => {
    const id = await newSession()
    const rows: number[] = []
    for (const input of inputs) {
      await runTurn(id, input)
      rows.push(await rowsToWake(id))
    }
    expect(rows.filter((count) => count > maxRows)).toEqual([])
  })

  it('[LOG4] reads 64 rows at most where answers larger than a page follow the newest snapshot', { timeout: 60_000 }, async () => {
    const id = await newSession()
    // 29 rows of log, 24 of them in four answers of six pieces each: not enough for a snapshot.
    for (const input of Array<string>(4).fill('/bytes 5300000')) await runTurn(id, input)
    expect(await rowsToWake(id)).toBeLessThanOrEqual(maxRows)
  })
})
