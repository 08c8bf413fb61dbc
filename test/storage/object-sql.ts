/** `Sql` on an object's own SQLite, for tests that run inside one. */
import type { Sql, SqlValue } from '../../src/storage/sql.ts'

export function objectSql(storage: SqlStorage): Sql {
  return {
    exec(statement, ...bindings) {
      const cursor = storage.exec(statement, ...bindings)
      const rows = cursor.toArray().map(toRow)
      return { rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten }
    },
  }
}

function toRow(row: Record<string, SqlStorageValue>): Record<string, SqlValue> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof ArrayBuffer ? new Uint8Array(value) : value]),
  )
}
