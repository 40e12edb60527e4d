import { sql } from 'drizzle-orm'
import * as my from 'drizzle-orm/mysql-core'
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import * as pgCore from 'drizzle-orm/pg-core'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { type Contender, chunksOf } from './contender.ts'
import { serve } from './serve.ts'

const postgresTable = (name: string) =>
  pgCore.pgTable(name, {
    orderId: pgCore.bigint('order_id', { mode: 'number' }).primaryKey(),
    customerId: pgCore.bigint('customer_id', { mode: 'number' }),
    orderDate: pgCore.date('order_date'),
    amount: pgCore.numeric({ precision: 12, scale: 2 }),
    status: pgCore.varchar({ length: 20 }),
    note: pgCore.text(),
    lastUpdated: pgCore.timestamp('last_updated', { mode: 'string', withTimezone: true }),
  })
const mysqlTable = (name: string) =>
  my.mysqlTable(name, {
    orderId: my.bigint('order_id', { mode: 'number' }).primaryKey(),
    customerId: my.bigint('customer_id', { mode: 'number' }),
    orderDate: my.date('order_date', { mode: 'string' }),
    amount: my.decimal({ precision: 12, scale: 2 }),
    status: my.varchar({ length: 20 }),
    note: my.text(),
    lastUpdated: my.datetime('last_updated', { mode: 'string', fsp: 6 }),
  })
const OTHERS = {
  customerId: 'customer_id',
  orderDate: 'order_date',
  amount: 'amount',
  status: 'status',
  note: 'note',
  lastUpdated: 'last_updated',
}
const assigned = (value: (column: string) => string) =>
  Object.fromEntries(Object.entries(OTHERS).map(([name, column]) => [name, sql.raw(value(column))]))

async function openPostgres(url: string): Promise<Contender> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const db = drizzlePostgres(client)
  const order = postgresTable('orders')
  const target = postgresTable('orders_target')
  const set = assigned((column) => `excluded.${column}`)
  return {
    read: async () => (await db.select().from(order)).length,
    upsert: (rows) =>
      db.transaction(async (transaction: typeof db) => {
        for (const chunk of chunksOf(rows)) {
          await transaction.insert(target).values(chunk).onConflictDoUpdate({ target: target.orderId, set })
        }
      }),
    close: () => client.end(),
  }
}

async function openMysql(url: string): Promise<Contender> {
  const connection = await mysql.createConnection({ uri: url, timezone: 'Z' })
  const db = drizzleMysql(connection)
  const order = mysqlTable('orders')
  const target = mysqlTable('orders_target')
  const set = assigned((column) => `values(${column})`)
  return {
    read: async () => (await db.select().from(order)).length,
    upsert: (rows) =>
      db.transaction(async (transaction: typeof db) => {
        for (const chunk of chunksOf(rows)) await transaction.insert(target).values(chunk).onDuplicateKeyUpdate({ set })
      }),
    close: () => connection.end(),
  }
}

await serve((engine, url) => (engine === 'postgres' ? openPostgres(url) : openMysql(url)))
