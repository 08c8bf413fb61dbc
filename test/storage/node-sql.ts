/** `Sql` on node:sqlite, in memory or in a file. It counts no rows: what is billed is measured in workerd. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sql, SqlResult, SqlValue } from '../../src/storage/sql.ts'

export class NodeSql implements Sql {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path = ':memory:') {
    this.#database = new DatabaseSync(path)
  }

  exec(statement: string, ...bindings: SqlValue[]): SqlResult {
    // As the platform does: a transaction is opened by its own method only.
    if (/^\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b/i.test(statement)) throw new Error('Use transaction().')
    const rows = this.#prepare(statement).all(...bindings)
    return { rows: rows.map(toRow), rowsRead: 0, rowsWritten: 0 }
  }

  transaction<T>(change: () => T): T {
    this.#database.exec('BEGIN')
    try {
      const value = change()
      this.#database.exec('COMMIT')
      return value
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.#database.close()
  }

  #prepare(statement: string): StatementSync {
    const prepared = this.#statements.get(statement) ?? this.#database.prepare(statement)
    this.#statements.set(statement, prepared)
    return prepared
  }
}

function toRow(row: Record<string, unknown>): Record<string, SqlValue> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toValue(value)]))
}

function toValue(value: unknown): SqlValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || value instanceof Uint8Array) return value
  throw new Error(`A column holds a ${typeof value}, which no caller expects.`)
}
