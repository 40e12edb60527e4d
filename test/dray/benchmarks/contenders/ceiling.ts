import { once } from 'node:events'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { from } from 'pg-copy-streams'
import { type Contender, chunksOf, type OrderRow } from './contender.ts'
import { serve } from './serve.ts'

/*
 * What the server can do: the rows are bytes already, nothing is checked or counted, and the statements are the fastest
 * that were found. It tells how much of the time is the server's.
 */

const COLUMNS = ['order_id', 'customer_id', 'order_date', 'amount', 'status', 'note', 'last_updated']
const OTHERS = COLUMNS.slice(1)

function bytesOf(rows: readonly OrderRow[], zone: string): Buffer[] {
  const lineOf = ({ orderId, customerId, orderDate, amount, status, note, lastUpdated }: OrderRow) =>
    `${[orderId, customerId, orderDate, amount, status, note ?? '\\N', lastUpdated + zone].join('\t')}\n`
  return [...chunksOf(rows)].map((chunk) => Buffer.from(chunk.map(lineOf).join('')))
}

async function openPostgres(url: string): Promise<Contender> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  let ready: { rows: readonly OrderRow[]; bytes: Buffer[] } = { rows: [], bytes: [] }
  const copyInto = async (table: string) => {
    const copy = client.query(from(`COPY ${table} (${COLUMNS}) FROM STDIN`, { highWaterMark: 1 << 20 }))
    for (const bytes of ready.bytes) if (!copy.write(bytes)) await once(copy, 'drain')
    copy.end()
    await finished(copy)
  }
  const merge = `MERGE INTO orders_target t USING staged s ON t.order_id = s.order_id
    WHEN MATCHED AND (${OTHERS.map((name) => `t.${name} IS DISTINCT FROM s.${name}`).join(' OR ')})
      THEN UPDATE SET ${OTHERS.map((name) => `${name} = s.${name}`)}
    WHEN NOT MATCHED THEN INSERT (${COLUMNS}) VALUES (${COLUMNS.map((name) => `s.${name}`)})`
  return {
    read: async () => 0,
    prepare(rows) {
      if (ready.rows !== rows) ready = { rows, bytes: bytesOf(rows, '+00') }
    },
    async upsert() {
      await client.query("BEGIN; SET LOCAL work_mem = '64MB'")
      if ((await client.query('SELECT 1 FROM orders_target LIMIT 1')).rows.length === 0) await copyInto('orders_target')
      else {
        await client.query('CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT * FROM orders_target WITH NO DATA')
        await copyInto('staged')
        await client.query(merge)
      }
      await client.query('COMMIT')
    },
    close: () => client.end(),
  }
}

/** REPLACE deletes and inserts, which cascades to other tables and loses columns: Dray never does. */
async function openMysql(url: string): Promise<Contender> {
  const connection = await mysql.createConnection({ uri: url, flags: ['+LOCAL_FILES'] })
  let ready: { rows: readonly OrderRow[]; bytes: Buffer[] } = { rows: [], bytes: [] }
  return {
    read: async () => 0,
    prepare(rows) {
      if (ready.rows !== rows) ready = { rows, bytes: bytesOf(rows, '') }
    },
    async upsert() {
      await connection.beginTransaction()
      await connection.query({
        sql: `LOAD DATA LOCAL INFILE 'rows' REPLACE INTO TABLE orders_target CHARACTER SET utf8mb4 (${COLUMNS})`,
        infileStreamFactory: () => Readable.from(ready.bytes, { objectMode: true, highWaterMark: 1 }),
      })
      await connection.commit()
    },
    close: () => connection.end(),
  }
}

await serve((engine, url) => (engine === 'postgres' ? openPostgres(url) : openMysql(url)))
