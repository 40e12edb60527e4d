import mysql from 'mysql2/promise'
import pg from 'pg'
import { type Contender, chunksOf, type Engine, type OrderRow } from './contender.ts'
import { serve } from './serve.ts'

const COLUMNS = ['order_id', 'customer_id', 'order_date', 'amount', 'status', 'note', 'last_updated']
const TYPES = ['bigint', 'bigint', 'date', 'numeric', 'text', 'text', 'timestamptz']
const OTHERS = COLUMNS.slice(1)

function valuesOf(row: OrderRow): (string | number | null)[] {
  return [row.orderId, row.customerId, row.orderDate, row.amount, row.status, row.note, row.lastUpdated]
}

/** `pg` by hand: one array a column, UNNEST. */
async function openPostgres(url: string): Promise<Contender> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query("SET TIME ZONE 'UTC'")
  const unnest = TYPES.map((type, index) => `$${index + 1}::${type}[]`).join(', ')
  const upsert = `INSERT INTO orders_target (${COLUMNS}) SELECT * FROM unnest(${unnest})
    ON CONFLICT (order_id) DO UPDATE SET ${OTHERS.map((name) => `${name} = excluded.${name}`)}`
  const insert = `INSERT INTO orders_target (${COLUMNS}) VALUES (${COLUMNS.map((_, index) => `$${index + 1}`)})`
  const update = `UPDATE orders_target SET ${OTHERS.map((name, index) => `${name} = $${index + 2}`)} WHERE order_id = $1`
  return {
    read: async () => (await client.query('SELECT * FROM orders')).rows.length,
    async upsert(rows) {
      await client.query('BEGIN')
      for (const chunk of chunksOf(rows, 5_000)) {
        const values = chunk.map(valuesOf)
        await client.query(
          upsert,
          COLUMNS.map((_, index) => values.map((row) => row[index])),
        )
      }
      await client.query('COMMIT')
    },
    async findAndSave(rows) {
      for (const row of rows) {
        const found = await client.query('SELECT * FROM orders_target WHERE order_id = $1', [row.orderId])
        await client.query(found.rows.length === 0 ? insert : update, valuesOf(row))
      }
    },
    close: () => client.end(),
  }
}

/** mysql2 by hand: INSERT of many rows, ON DUPLICATE KEY UPDATE. */
async function openMysql(url: string): Promise<Contender> {
  const connection = await mysql.createConnection({ uri: url, timezone: 'Z' })
  const upsert = `INSERT INTO orders_target (${COLUMNS}) VALUES ?
    ON DUPLICATE KEY UPDATE ${OTHERS.map((name) => `${name} = VALUES(${name})`)}`
  const insert = `INSERT INTO orders_target (${COLUMNS}) VALUES (${COLUMNS.map(() => '?')})`
  const update = `UPDATE orders_target SET ${OTHERS.map((name) => `${name} = ?`)} WHERE order_id = ?`
  return {
    read: async () => ((await connection.query('SELECT * FROM orders'))[0] as unknown[]).length,
    async upsert(rows) {
      await connection.beginTransaction()
      for (const chunk of chunksOf(rows, 5_000)) await connection.query(upsert, [chunk.map(valuesOf)])
      await connection.commit()
    },
    async findAndSave(rows) {
      for (const row of rows) {
        const [found] = await connection.query('SELECT * FROM orders_target WHERE order_id = ?', [row.orderId])
        const [id, ...others] = valuesOf(row)
        if ((found as unknown[]).length === 0) await connection.query(insert, valuesOf(row))
        else await connection.query(update, [...others, id])
      }
    },
    close: () => connection.end(),
  }
}

await serve((engine: Engine, url) => (engine === 'postgres' ? openPostgres(url) : openMysql(url)))
