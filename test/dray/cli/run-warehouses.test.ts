import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { Adapter } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { createSqliteAdapter } from 'dray/internal/database/sqlite/index.ts'
import { findMysqlServer, mysqlUnavailable } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'
import { dray, temporaryHome } from './dray-process.ts'

/* The same workflow over the same sources, with the lake on each engine. */

const chinook = sharedData('chinook')
const unavailable = mysqlUnavailable

const queries = [
  'select id, full_name, email, phone, city from customer_dim order by id',
  'select order_id, customer_id, order_date, order_amount, order_status from order_fact order by order_id',
  'select customer_id, orders, revenue from customer_sales order by customer_id',
]

async function rowsOf(adapter: Adapter): Promise<(readonly (readonly Text[])[])[]> {
  const connection = await adapter.acquire()
  try {
    const tables = []
    for (const query of queries) tables.push((await connection.query(query)).rows)
    return tables
  } finally {
    await adapter.release(connection)
    await adapter.close()
  }
}

describe('the workflow with its lake on', { skip: withoutSharedData }, () => {
  const { home, remove } = temporaryHome()
  const sources = {
    SHOP_DATABASE_URL: `sqlite:${join(home, 'shop.db')}`,
    TILL_DATABASE_URL: `sqlite:${join(home, 'till.db')}`,
  }
  let onSqlite: Awaited<ReturnType<typeof rowsOf>>

  /** Loads everything into an empty lake; the state of the run before belongs to another one. */
  async function runInto(url: string, folder: string): Promise<void> {
    const { code, stderr } = await dray(join(home, folder), ['run', 'nightly'], {
      ...sources,
      LAKE_DATABASE_URL: url,
    })
    assert.equal(code, 0, stderr)
  }

  before(async () => {
    for (const name of ['customers', 'orders']) {
      const into = name === 'customers' ? 'shop.customers' : 'till.orders'
      const { code, stderr } = await dray(
        home,
        ['import', 'csv', join(chinook, `${name}.csv`), '--into', into],
        sources,
      )
      assert.equal(code, 0, stderr)
    }
    const url = `sqlite:${join(home, 'lake.db')}`
    await runInto(url, 'sqlite')
    onSqlite = await rowsOf(createSqliteAdapter({ name: 'lake', url }))
  })
  after(remove)

  it('SQLite holds all 59 customers and 412 orders', () => {
    assert.deepEqual(
      onSqlite.map((rows) => rows.length),
      [59, 412, 59],
    )
  })

  it('PostgreSQL holds the same rows', async (context) => {
    const server = await startPostgres()
    context.after(() => server.stop())
    const url = await server.createDatabase()
    await runInto(url, 'postgres')

    const rows = await rowsOf(createPostgresAdapter({ name: 'lake', url }))

    assert.deepEqual(rows, onSqlite)
  })

  it('MariaDB holds the same rows', { skip: unavailable ?? false }, async (context) => {
    const server = await findMysqlServer()
    if ('unavailable' in server) return context.skip(server.unavailable)
    context.after(() => server.stop())
    const url = await server.createDatabase()
    await runInto(url, 'mariadb')

    const rows = await rowsOf(createMysqlAdapter({ name: 'lake', url }))

    assert.deepEqual(rows, onSqlite)
  })
})
