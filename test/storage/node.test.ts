import { storageContract, type LendDatabase } from './contract.ts'
import { NodeSql } from './node-sql.ts'
import { rowContract } from './row-contract.ts'

const lendMemory: LendDatabase = async (use) => {
  const sql = new NodeSql()
  try {
    use({ sql, transaction: (change) => sql.transaction(change) })
  } finally {
    sql.close()
  }
}

storageContract('storage on node:sqlite', lendMemory)
rowContract('rows on node:sqlite', lendMemory)
