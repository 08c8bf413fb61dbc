import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { D1IndexWriter } from '../../src/session-index/session-writer.ts'
import { entryOf } from '../session-index/index-fixture.ts'
import { call, keyOf } from './edge-client.ts'

const writer = new D1IndexWriter(env.INDEX)

async function scrape(scope: 'admin' | 'operator', tenant: string) {
  const response = await call('GET', '/v1/metrics', { credential: await keyOf(scope, tenant) })
  expect(response.status).toBe(200)
  return { type: response.headers.get('content-type'), lines: (await response.text()).split('\n') }
}

const samplesOf = (lines: string[], tenant: string) => lines.filter((line) => line.includes(`{tenant="${tenant}"}`))

describe('metrics', () => {
  it('[MET1] are counters of what a tenant has used, as Prometheus reads them', async () => {
    await writer.upsert(entryOf('metered', 1, { turns: 2, head: 9 }))
    await writer.upsert(entryOf('metered', 2, { turns: 1, head: 5 }))
    const { type, lines } = await scrape('admin', 'metered')
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(samplesOf(lines, 'metered')).toEqual([
      'dormouse_turns_total{tenant="metered"} 3',
      'dormouse_input_tokens_total{tenant="metered"} 300',
      'dormouse_output_tokens_total{tenant="metered"} 30',
      'dormouse_cached_tokens_total{tenant="metered"} 15',
      'dormouse_reasoning_tokens_total{tenant="metered"} 6',
      'dormouse_active_seconds_total{tenant="metered"} 4.5',
      'dormouse_storage_rows_read_total{tenant="metered"} 21',
      'dormouse_storage_rows_written_total{tenant="metered"} 9',
    ])
    for (const [place, line] of lines.entries()) {
      expect(line).toMatch(/^($|# HELP \w+ .+$|# TYPE \w+ counter$|\w+\{tenant="[a-z0-9-]+"\} \d+(\.\d+)?$)/)
      const [, family] = /^# TYPE (\w+)/.exec(line) ?? []
      if (family)
        expect([lines[place - 1]?.startsWith(`# HELP ${family} `), lines[place + 1]?.startsWith(`${family}{`)]).toEqual([true, true])
    }
    expect(lines.at(-1)).toBe('')
  })

  it('[SEC1] an admin sees its own tenant, zeros too, and the operator all of them', async () => {
    await writer.upsert(entryOf('metered-a', 1, { turns: 1, head: 5 }))
    await writer.upsert(entryOf('metered-b', 1, { turns: 1, head: 5 }))
    const own = await scrape('admin', 'metered-none')
    expect(samplesOf(own.lines, 'metered-none')).toHaveLength(8)
    expect(own.lines.filter((line) => line.includes('tenant="') && !line.includes('metered-none'))).toEqual([])
    const all = await scrape('operator', 'metered-none')
    for (const tenant of ['metered-a', 'metered-b']) expect(samplesOf(all.lines, tenant)).toHaveLength(8)
  })

  it('[SEC5] an operator’s page has a bound, and says so', async () => {
    const add = env.INDEX.prepare(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 210)
       insert into usage_days (tenant, day, turns) select printf('aa-%03d', i), 1, i from n`,
    )
    await add.run()
    const { lines } = await scrape('operator', 'default')
    expect(lines[0]).toBe('# The first 200 tenants by name; there are more.')
    expect(lines.filter((line) => line.startsWith('dormouse_turns_total{'))).toHaveLength(200)
    expect(lines).toContain('dormouse_turns_total{tenant="aa-007"} 7')
    await env.INDEX.prepare(`delete from usage_days where tenant like 'aa-%'`).run()
  })
})
