import { NodeSql } from './node-sql.ts'
import { storageContract } from './contract.ts'

storageContract('storage on node:sqlite', async (use) => {
  const sql = new NodeSql()
  try {
    use({ sql, transaction: (change) => sql.transaction(change) })
  } finally {
    sql.close()
  }
})
