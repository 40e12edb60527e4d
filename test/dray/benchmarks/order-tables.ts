import { database } from 'dray/internal/active-record/database.ts'
import { bigint, date, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type OrderRow, orderRow } from './contenders/contender.ts'

const fields = () => ({
  orderId: bigint().primaryKey(),
  customerId: bigint(),
  orderDate: date(),
  amount: decimal(12, 2),
  status: varchar(20),
  note: text().nullable(),
  lastUpdated: timestamp(),
})

/** The tables of one database: `orders`, which is read, and `orders_target`, which is written. */
export function orderTables(name: string) {
  const bound = database(name)
  class Order extends bound.table('orders', fields()) {}
  class TargetOrder extends bound.table('orders_target', fields()) {}
  return { database: bound, Order, TargetOrder }
}

/** A row as a program that uses the models has it. */
export function attributesOf(index: number, edition: number) {
  return attributesOfRow(orderRow(index, edition))
}

export function attributesOfRow({ orderId, customerId, orderDate, amount, status, note, lastUpdated }: OrderRow) {
  return {
    orderId: BigInt(orderId),
    customerId: BigInt(customerId),
    orderDate: dateOf(orderDate),
    amount: decimalOf(amount),
    status,
    note,
    lastUpdated: timestampOf(lastUpdated),
  }
}

type Tables = ReturnType<typeof orderTables>

/** Binds a database to a URL and fills `orders`. */
export async function fillOrders(tables: Tables, url: string, rows: number, edition = 0): Promise<void> {
  await tables.database.close()
  process.env[urlVariable(tables.database.name)] = url
  await tables.Order.createTable()
  await tables.TargetOrder.createTable()
  for (let start = 0; start < rows; start += 100_000) {
    const length = Math.min(100_000, rows - start)
    await tables.Order.insertAll(Array.from({ length }, (_, index) => attributesOf(start + index, edition)))
  }
  await settle(tables)
}

/** Empties the target, or makes it hold what `orders` holds. */
export async function resetTarget(tables: Tables, state: 'empty' | 'full'): Promise<void> {
  await tables.database.query('TRUNCATE TABLE orders_target')
  if (state === 'full') await tables.database.query('INSERT INTO orders_target SELECT * FROM orders')
  await settle(tables)
}

/** Lets the server finish what former work left behind, so that nobody else pays for it. */
async function settle({ database }: Tables): Promise<void> {
  const { dialect } = await database.adapter()
  if (dialect === 'postgres') {
    await database.query('VACUUM ANALYZE orders_target')
    await database.query('VACUUM ANALYZE orders')
    await database.query('CHECKPOINT')
  } else {
    await database.query('ANALYZE TABLE orders, orders_target')
  }
}
