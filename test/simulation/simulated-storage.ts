/**
 * An object's disk: SQLite in memory and the alarm. What was written is durable only from the next `confirm` on; `lose`
 * is a crash before it. An outer transaction that is always open makes the difference, so that losing is a rollback.
 * `transaction` is a savepoint inside: a throw rolls back its writes, the alarm included; other writes stay.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sql, SqlResult, SqlValue } from '../../src/storage/sql.ts'

export class SimulatedStorage implements Sql {
  /** When the alarm is due by the object's clock; null: none is set. */
  alarm: number | null = null
  durableAlarm: number | null = null
  /** Something was written since the last `confirm`. */
  dirty = false
  /** Called when `dirty` becomes true. */
  onDirty: () => void = () => {}
  readonly #database = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, StatementSync>()
  #depth = 0

  constructor() {
    this.#database.exec('BEGIN')
  }

  exec(statement: string, ...bindings: SqlValue[]): SqlResult {
    if (!/^\s*(select|with|explain|pragma)\b/i.test(statement)) this.#written()
    return { rows: this.#all(statement, bindings), rowsRead: 0, rowsWritten: 0 }
  }

  transaction<T>(change: () => T): T {
    const savepoint = `change${this.#depth}`
    const alarm = this.alarm
    this.#database.exec(`SAVEPOINT ${savepoint}`)
    this.#depth += 1
    try {
      return change()
    } catch (error) {
      this.#database.exec(`ROLLBACK TO ${savepoint}`)
      this.alarm = alarm
      throw error
    } finally {
      this.#depth -= 1
      this.#database.exec(`RELEASE ${savepoint}`)
    }
  }

  setAlarm(at: number | null): void {
    this.#written()
    this.alarm = at
  }

  confirm(): void {
    this.#database.exec('COMMIT; BEGIN')
    this.durableAlarm = this.alarm
    this.dirty = false
  }

  lose(): void {
    this.#database.exec('ROLLBACK; BEGIN')
    this.alarm = this.durableAlarm
    this.dirty = false
  }

  deleteAll(): void {
    this.setAlarm(null)
    const tables = this.#all("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'", [])
    for (const { name } of tables) this.#database.exec(`DROP TABLE IF EXISTS "${String(name)}"`)
  }

  close(): void {
    this.#database.close()
  }

  #written(): void {
    if (this.dirty) return
    this.dirty = true
    this.onDirty()
  }

  #all(statement: string, bindings: SqlValue[]): Record<string, SqlValue>[] {
    let prepared = this.#statements.get(statement)
    if (!prepared) {
      prepared = this.#database.prepare(statement)
      this.#statements.set(statement, prepared)
    }
    // Numbers are never read as bigints here, so that a row holds nothing else.
    return prepared.all(...bindings) as Record<string, SqlValue>[]
  }
}
