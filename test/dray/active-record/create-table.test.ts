import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, date, decimal, integer, text, varchar } from 'dray/internal/active-record/field-kinds.ts'
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

it('takes a domain for the type that it is made of, and refuses what that does not hold', async () => {
  const base = database('create-table')
  await base.query('create domain whole as integer check (value > 0)')
  await base.query('create domain counted as whole not null')
  await base.query('create domain yes_no as boolean')
  await base.query('create domain short as varchar(3)')
  await base.query(
    'create table domains (id bigint primary key, n whole, c counted, ok yes_no, s short, bad short, list whole[])',
  )
  const fields = { id: bigint().primaryKey(), n: integer(), ok: boolean(), s: varchar(3) }
  const Domains = base.table('domains', { ...fields, bad: integer() })

  const said = (await Domains.checkSchema()).map(({ kind, column, message }) => `${kind} ${column}: ${message}`)
  const live = await base.withConnection((connection) => connection.describe('domains'))

  assert.deepEqual(
    live?.columns.map(({ type }) => type),
    ['bigint', 'integer', 'integer', 'boolean', 'character varying(3)', 'character varying(3)', 'whole[]'],
  )
  assert.equal(said.length, 2)
  assert.match(said[0] ?? '', /^type bad: .*is character varying\(3\), the model says integer.*text\(\)/)
  assert.match(said[1] ?? '', /^unknown_required_column c: /)
})

it('a cursor of a domain over a time stamp has the form of that time stamp', async () => {
  const base = database('create-table')
  await base.query('create domain clock as timestamp')
  await base.query('create domain instant as timestamptz(3)')
  await base.query('create table clocks (local clock, moment instant)')

  const forms = await base.withConnection(async (connection, adapter) =>
    (await connection.describe('clocks'))?.columns.map(({ type }) => adapter.stampForm(type)),
  )

  assert.deepEqual(forms, ['local', 'moment'])
})
