/**
 * The agents of tenants, in D1. Invariants, each held by the statements themselves, since any two changes may meet:
 * - versions of a name count 1, 2, 3 …, on through its deletion, and a version is never rewritten (AGT1);
 * - a change is made to the version it was decided on, or not at all;
 * - one Idempotency-Key makes one agent of its tenant, for ever (TRN6).
 */
import * as v from 'valibot'
import { AgentDefinitionSchema } from '../protocol/agent.ts'
import { TimeSchema } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { AgentNameSchema } from '../protocol/session.ts'

const DefinitionSchema = v.pipe(v.string(), v.parseJson(), AgentDefinitionSchema)

const ListedRowSchema = v.object({
  name: AgentNameSchema,
  version: v.number(),
  definition: DefinitionSchema,
  created_at: TimeSchema,
  updated_at: TimeSchema,
})
const AgentRowSchema = v.object({ ...ListedRowSchema.entries, secrets: v.nullable(v.string()) })

/** A version of an agent; secrets are hidden in `definition` and sealed in `secrets`. */
export interface AgentRecord extends ListedAgent {
  secrets: string | null
}
export type ListedAgent = ReturnType<typeof listedAgent>

/** What is stored of a version. */
export type AgentContent = Pick<AgentRecord, 'definition' | 'secrets'>

/** An Idempotency-Key, and what tells its command from another. */
export interface AgentCommand {
  key: string
  hash: string
}

const MADE_BY = v.nullable(v.object({ name: AgentNameSchema, version: v.number(), command_hash: v.string() }))

const CREATE = `
  insert into agents (tenant, name, version, created_at, updated_at)
  select ?1, ?2, 1, ?3, ?3 where not exists (select 1 from agent_versions where tenant = ?1 and command_key = ?4)
  on conflict (tenant, name) do update set version = version + 1, created_at = ?3, updated_at = ?3, deleted_at = null
  where deleted_at is not null`

/** Where the statement before it changed nothing, the newest version has its row already, and this one changes nothing either. */
const ADD_VERSION = `
  insert into agent_versions (tenant, name, version, definition, secrets, created_at, command_key, command_hash)
  select tenant, name, version, ?3, ?4, ?5, ?6, ?7 from agents
  where tenant = ?1 and name = ?2 and deleted_at is null and (?8 is null or version = ?8)
  on conflict do nothing returning version`

const ADVANCE = `
  update agents set version = version + 1, updated_at = ?4
  where tenant = ?1 and name = ?2 and version = ?3 and deleted_at is null`

/** The version that was made, or null: an agent of this name exists, or the command has made one before. */
export async function createAgent(
  db: D1Database,
  tenant: string,
  name: string,
  content: AgentContent,
  { at, command }: { at: number; command: AgentCommand | null },
): Promise<number | null> {
  const results = await db.batch([
    db.prepare(CREATE).bind(tenant, name, at, command?.key ?? null),
    db.prepare(ADD_VERSION).bind(tenant, name, ...columnsOf(content), at, command?.key ?? null, command?.hash ?? null, null),
  ])
  return versionIn(results[1])
}

/** The version that was made, or null: `version` is not the newest any more. */
export async function updateAgent(
  db: D1Database,
  tenant: string,
  { name, version }: { name: string; version: number },
  content: AgentContent,
  at: number,
): Promise<number | null> {
  const results = await db.batch([
    db.prepare(ADVANCE).bind(tenant, name, version, at),
    db.prepare(ADD_VERSION).bind(tenant, name, ...columnsOf(content), at, null, null, version + 1),
  ])
  return versionIn(results[1])
}

function columnsOf({ definition, secrets }: AgentContent): [string, string | null] {
  return [JSON.stringify(definition), secrets]
}

function versionIn(result: D1Result | undefined): number | null {
  const row = result?.results[0]
  return row === undefined ? null : v.parse(v.object({ version: v.number() }), row).version
}

/** Whether there was one. Its versions stay, for the turns that began with them. */
export async function deleteAgent(db: D1Database, tenant: string, name: string, at: number): Promise<boolean> {
  const statement = 'update agents set deleted_at = ? where tenant = ? and name = ? and deleted_at is null returning version'
  return (await db.prepare(statement).bind(at, tenant, name).first()) !== null
}

/** What a command with this key made before. */
export async function agentMadeBy(
  db: D1Database,
  tenant: string,
  key: string,
): Promise<{ name: string; version: number; hash: string } | null> {
  const statement = 'select name, version, command_hash from agent_versions where tenant = ? and command_key = ?'
  const row = v.parse(MADE_BY, await db.prepare(statement).bind(tenant, key).first())
  return row && { name: row.name, version: row.version, hash: row.command_hash }
}

const JOINED = 'from agents a join agent_versions v on v.tenant = a.tenant and v.name = a.name'

/** A version of an agent, a deleted one's too; null: the newest, of one that is not deleted. */
export async function readAgent(db: D1Database, tenant: string, name: string, version: number | null): Promise<AgentRecord | null> {
  const which = version === null ? 'a.deleted_at is null and v.version = a.version' : 'v.version = ?3'
  const statement = `
    select v.name, v.version, v.definition, v.secrets, a.created_at, v.created_at as updated_at
    ${JOINED} where a.tenant = ?1 and a.name = ?2 and ${which}`
  const bindings = version === null ? [tenant, name] : [tenant, name, version]
  const row = await db
    .prepare(statement)
    .bind(...bindings)
    .first()
  if (row === null) return null
  const parsed = v.parse(AgentRowSchema, row)
  return { ...listedAgent(parsed), secrets: parsed.secrets }
}

const FoundSchema = v.object({ found: v.number() })

/** One row more than the page takes is found, to know whether it is the last; sizes are summed before anything is sent. */
const LIST = `
  select name, version, definition, created_at, updated_at, found from (
    select *, count(*) over () as found, row_number() over names as place, sum(octet_length(definition)) over names as bytes
    from (
      select a.name, v.version, v.definition, a.created_at, v.created_at as updated_at
      ${JOINED} and v.version = a.version
      where a.tenant = ?1 and a.name > ?2 and a.deleted_at is null order by a.name limit ?3
    ) window names as (order by name rows unbounded preceding)
  ) where place = 1 or bytes <= ${limits.pageBytes} order by name`

/** By name, those after `afterName`; as many as fit into `limits.pageBytes`, the first in any case. `hasMore`: others follow. */
export async function listAgents(
  db: D1Database,
  tenant: string,
  { afterName, limit }: { afterName: string; limit: number },
): Promise<{ items: ListedAgent[]; hasMore: boolean }> {
  const { results } = await db
    .prepare(LIST)
    .bind(tenant, afterName, limit + 1)
    .all()
  const items = results.slice(0, limit).map((row) => listedAgent(v.parse(ListedRowSchema, row)))
  const found = results[0] === undefined ? 0 : v.parse(FoundSchema, results[0]).found
  return { items, hasMore: found > items.length }
}

function listedAgent({ name, version, definition, created_at: createdAt, updated_at: updatedAt }: v.InferOutput<typeof ListedRowSchema>) {
  return { name, version, definition, createdAt, updatedAt }
}
