/**
 * The writing half of the session index, on D1. Invariants, each held by the statement itself, since any two writes of
 * one session may arrive in any order and any number of times:
 * - a row changes only for a higher version (IDX1), and the words that search finds change with it or not at all;
 * - a tombstone never changes again, until `forget` deletes it (ERA1);
 * - a turn that leaves title, tags and summary alone writes three rows, one of them what it used, a repeated write none (IDX2);
 * - what a session used is added to its tenant's days exactly once (MET1).
 */
import type { IndexEntry, IndexWriter } from './index-entry.ts'
import { searchableTerms } from './search-terms.ts'
import { summaryBindings, summaryColumns } from './session-row.ts'
import { addUsage, usageBindings, usageColumns } from './usage-store.ts'

const TOMBSTONE_VERSION = Number.MAX_SAFE_INTEGER

/** All that a tombstone does not have. */
const content = [...summaryColumns.filter((column) => column !== 'id'), ...usageColumns]
const written = ['version', ...content]
const inserted = ['tenant', 'version', ...summaryColumns, ...usageColumns]

const UPSERT = `
  insert into sessions (search_id, ${inserted.join(', ')})
  values (random(), ${inserted.map(() => '?').join(', ')})
  on conflict (tenant, id) do update set ${written.map((column) => `${column} = excluded.${column}`).join(', ')}
  where excluded.version > sessions.version and sessions.buried_at is null`

/** Both run after the upsert in its transaction: they find the row at this very version only if it is the latest. */
const WRITE_TERMS = `
  insert or replace into session_search (rowid, terms, session_id)
  select s.search_id, ?1, s.id from sessions s
  where s.tenant = ?2 and s.id = ?3 and s.version = ?4 and s.buried_at is null
    and not exists (select 1 from session_search f where f.rowid = s.search_id and f.terms = ?1)`

const CLEAR_TERMS = `
  delete from session_search where rowid =
    (select search_id from sessions where tenant = ?1 and id = ?2 and version = ?3 and buried_at is null)`

const BURY_TERMS = `
  delete from session_search where rowid =
    (select search_id from sessions where tenant = ?1 and id = ?2 and buried_at is null)`

const BURY = `
  insert into sessions (tenant, id, version, search_id, buried_at) values (?1, ?2, ${TOMBSTONE_VERSION}, random(), ?3)
  on conflict (tenant, id) do update set version = excluded.version, buried_at = excluded.buried_at,
    ${content.map((column) => `${column} = null`).join(', ')}
  where sessions.buried_at is null`

const FORGET = 'delete from sessions where tenant = ? and id = ? and buried_at is not null'

export class D1IndexWriter implements IndexWriter {
  readonly #db: D1Database

  constructor(db: D1Database) {
    this.#db = db
  }

  async upsert(entry: IndexEntry): Promise<void> {
    await this.#db.batch([addUsage(this.#db, entry), this.#writeRow(entry), this.#writeTerms(entry)])
  }

  async bury(tenant: string, sessionId: string, at: number): Promise<void> {
    await this.#db.batch([this.#db.prepare(BURY_TERMS).bind(tenant, sessionId), this.#db.prepare(BURY).bind(tenant, sessionId, at)])
  }

  async forget(tenant: string, sessionId: string): Promise<void> {
    await this.#db.prepare(FORGET).bind(tenant, sessionId).run()
  }

  #writeRow({ tenant, summary, version, usage }: IndexEntry): D1PreparedStatement {
    const bindings = summaryBindings(summary)
    const columns = summaryColumns.map((column) => bindings[column])
    return this.#db.prepare(UPSERT).bind(tenant, version, ...columns, ...usageBindings(usage))
  }

  #writeTerms(entry: IndexEntry): D1PreparedStatement {
    const { tenant, summary, version } = entry
    const terms = searchableTerms(entry)
    if (terms === '') return this.#db.prepare(CLEAR_TERMS).bind(tenant, summary.id, version)
    return this.#db.prepare(WRITE_TERMS).bind(terms, tenant, summary.id, version)
  }
}
