import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

let server: TestPostgres

before(async () => {
  server = await startPostgres()
  process.env.CREATE_TABLE_DATABASE_URL = await server.createDatabase()
})
after(async () => {
  await closeDatabases()
  await server.stop()
})

it('makes a missing table once when several connections want it at the same time', async () => {
  const base = database('create-table', { maxConnections: 8 })

  for (let round = 0; round < 20; round++) {
    const Model = base.table(`raced_${round}`, { id: bigint().primaryKey(), name: text().nullable() })
    await Promise.all(Array.from({ length: 8 }, () => Model.createTable({ ifMissing: true })))
    assert.equal(await Model.count(), 0)
  }
})
