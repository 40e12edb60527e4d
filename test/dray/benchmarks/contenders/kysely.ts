import { Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely'
import mysql from 'mysql2'
import pg from 'pg'
import { chunksOf, type OrderRow } from './contender.ts'
import { serve } from './serve.ts'

const OTHERS = ['customer_id', 'order_date', 'amount', 'status', 'note', 'last_updated']

function columnsOf(row: OrderRow) {
  const { orderId, customerId, orderDate, amount, status, note, lastUpdated } = row
  return {
    order_id: orderId,
    customer_id: customerId,
    order_date: orderDate,
    amount,
    status,
    note,
    last_updated: lastUpdated,
  }
}

type Columns = ReturnType<typeof columnsOf>

await serve(async (engine, url) => {
  const dialect =
    engine === 'postgres'
      ? new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 1 }) })
      : new MysqlDialect({ pool: mysql.createPool({ uri: url, connectionLimit: 1, timezone: 'Z' }) })
  const db = new Kysely<{ orders: Columns; orders_target: Columns }>({ dialect })
  const assigned = (value: (column: string) => string) =>
    Object.fromEntries(OTHERS.map((column) => [column, sql.raw<never>(value(column))]))
  return {
    read: async () => (await db.selectFrom('orders').selectAll().execute()).length,
    upsert: (rows) =>
      db.transaction().execute(async (transaction) => {
        for (const chunk of chunksOf(rows)) {
          const insert = transaction.insertInto('orders_target').values(chunk.map(columnsOf))
          if (engine === 'mysql') await insert.onDuplicateKeyUpdate(assigned((name) => `values(${name})`)).execute()
          else {
            const set = assigned((name) => `excluded.${name}`)
            await insert.onConflict((conflict) => conflict.column('order_id').doUpdateSet(set)).execute()
          }
        }
      }),
    close: () => db.destroy(),
  }
})
