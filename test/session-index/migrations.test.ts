import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { root } from '../architecture/source-files.ts'

const folder = path.join(root, 'migrations')
const [first = '', ...later] = readdirSync(folder)
  .toSorted()
  .map((name) => readFileSync(path.join(folder, name), 'utf8'))

it('[MET1] a database that has sessions already keeps them, and the turns they had are counted', () => {
  const db = new DatabaseSync(':memory:')
  db.exec(first)
  const insert = db.prepare(
    'insert into sessions (tenant, id, version, search_id, updated_at, turns, buried_at, archived) values (?, ?, 1, ?, ?, ?, ?, 0)',
  )
  const day = 86_400_000
  const sessions = [
    ['a', 's1', 1, 20_000 * day + 5, 3, null],
    ['a', 's2', 2, 20_000 * day + 9, 4, null],
    ['a', 's3', 3, 20_001 * day, 1, null],
    ['a', 's4', 4, 20_001 * day, 0, null],
    ['b', 's5', 5, 20_000 * day, 2, null],
    ['b', 's6', 6, null, null, 77],
  ] as const
  for (const session of sessions) insert.run(...session)
  for (const migration of later) db.exec(migration)
  const days = db.prepare('select tenant, day, turns, input_tokens from usage_days order by tenant, day').all()
  expect(days.map((row) => ({ ...row }))).toEqual([
    { tenant: 'a', day: 20_000, turns: 7, input_tokens: 0 },
    { tenant: 'a', day: 20_001, turns: 1, input_tokens: 0 },
    { tenant: 'b', day: 20_000, turns: 2, input_tokens: 0 },
  ])
  expect(db.prepare('select count(*) as sessions, count(input_tokens) as counted from sessions').get()).toEqual(
    expect.objectContaining({ sessions: 6, counted: 0 }),
  )
  db.close()
})
