/**
 * What the database knows of API keys: names for people, and which ones were revoked. It never decides whether a key is
 * genuine; a key proves that itself, by its signature (SEC6), and nothing here could be used to make one (SEC4).
 */
import * as v from 'valibot'
import { KeyScopeSchema, TenantSchema } from '../protocol/access.ts'
import type { Page } from '../protocol/body.ts'
import type { Result } from '../protocol/errors.ts'
import { KeyIdSchema, TimeSchema } from '../protocol/ids.ts'
import { decodeCursor, encodeCursor } from './page-cursor.ts'

const KeyRowSchema = v.pipe(
  v.object({
    id: KeyIdSchema,
    tenant: TenantSchema,
    name: v.string(),
    scope: KeyScopeSchema,
    created_at: TimeSchema,
    revoked_at: v.nullable(TimeSchema),
  }),
  v.transform(({ created_at: createdAt, revoked_at: revokedAt, ...row }) => ({ ...row, createdAt, revokedAt })),
)
export type KeyRecord = v.InferOutput<typeof KeyRowSchema>

const RevokedSchema = v.nullable(v.object({ revoked_at: v.nullable(TimeSchema) }))

/** False when the key was there already; what is stored stays then, its revocation above all. */
export async function insertKey(db: D1Database, key: Omit<KeyRecord, 'revokedAt'>): Promise<boolean> {
  const statement = 'insert into keys (id, tenant, name, scope, created_at) values (?, ?, ?, ?, ?) on conflict (id) do nothing'
  const { meta } = await db.prepare(statement).bind(key.id, key.tenant, key.name, key.scope, key.createdAt).run()
  return meta.changes > 0
}

/** Newest first, revoked ones too. */
export async function listKeys(
  db: D1Database,
  tenant: string,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<Result<Page<KeyRecord, string>>> {
  const scope = ['keys', tenant]
  const from = await decodeCursor(cursor, scope)
  if (!from.ok) return from
  const keys = await readKeys(db, tenant, from.value, limit + 1)
  const items = keys.slice(0, limit)
  const last = items.at(-1)
  const next = keys.length > limit && last ? await encodeCursor({ at: last.createdAt, id: last.id }, scope) : null
  return { ok: true, value: { items, next } }
}

/** Whether there is such a key; `tenant` null looks in all of them. The first revocation's time stands. */
export async function revokeKey(db: D1Database, tenant: string | null, id: string, at: number): Promise<boolean> {
  const theKey = 'id = ?1 and (?2 is null or tenant = ?2)'
  const [, found] = await db.batch([
    db.prepare(`update keys set revoked_at = ?3 where ${theKey} and revoked_at is null`).bind(id, tenant, at),
    db.prepare(`select 1 from keys where ${theKey}`).bind(id, tenant),
  ])
  return found !== undefined && found.results.length > 0
}

/** When the key was revoked; null for one that is good, and for one the database never heard of. */
export async function isRevoked(db: D1Database, id: string): Promise<number | null> {
  const row = await db.prepare('select revoked_at from keys where id = ?').bind(id).first()
  return v.parse(RevokedSchema, row)?.revoked_at ?? null
}

async function readKeys(db: D1Database, tenant: string, from: { at: number; id: string }, count: number): Promise<KeyRecord[]> {
  const statement = `
    select id, tenant, name, scope, created_at, revoked_at from keys
    where tenant = ? and (created_at, id) < (?, ?) order by created_at desc, id desc limit ?`
  const { results } = await db.prepare(statement).bind(tenant, from.at, from.id, count).all()
  return results.map((row) => v.parse(KeyRowSchema, row))
}
