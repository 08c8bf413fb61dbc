import { storageContract, type LendDatabase } from './contract.ts'
import { NodeSql } from './node-sql.ts'
import { outputContract } from './output-contract.ts'
import { rowContract } from './row-contract.ts'
import { versionContract } from './version-contract.ts'

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
outputContract('outputs on node:sqlite', lendMemory)
versionContract('versions on node:sqlite', lendMemory)
