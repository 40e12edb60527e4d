import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, date, decimal, integer, text } from 'dray/internal/active-record/field-kinds.ts'
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

it('refuses a field whose kind does not hold the values of its column, and names the one that does', async () => {
  const base = database('create-table')
  await base.query(
    'create table kinds (id bigint primary key, price money, ratio float8, age interval, span int4range, day timestamp, list integer[])',
  )
  const Kinds = base.table('kinds', {
    id: bigint().primaryKey(),
    price: decimal(10, 2),
    ratio: decimal(10, 2),
    age: integer(),
    span: integer(),
    day: date(),
    list: integer(),
  })

  const said = (await Kinds.checkSchema()).map(
    ({ column, message }) => `${column}: ${/ as (.*), which/.exec(message)?.[1]}`,
  )

  assert.deepEqual(said, [
    'price: text()',
    'ratio: double()',
    'age: text()',
    'span: text()',
    'day: timestamp()',
    'list: text()',
  ])
})
