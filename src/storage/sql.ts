/** The part of SQLite that storage needs: implemented by a Durable Object's `ctx.storage.sql` and by `node:sqlite`. */
export type SqlValue = string | number | null | Uint8Array

export interface Sql {
  /** Runs one statement to its end and returns all its rows. Synchronous; callers bound what they ask for. */
  exec(statement: string, ...bindings: SqlValue[]): SqlResult
}

export interface SqlResult {
  rows: Record<string, SqlValue>[]
  /** As billed; 0 where the database does not count (node:sqlite). */
  rowsRead: number
  rowsWritten: number
}
