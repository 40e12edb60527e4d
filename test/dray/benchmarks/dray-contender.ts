import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { OrderRow } from './contenders/contender.ts'
import { serve } from './contenders/serve.ts'
import { attributesOfRow, orderTables } from './order-tables.ts'

const { database, Order, TargetOrder } = orderTables('bench')
let prepared: { of: readonly OrderRow[]; rows: ReturnType<typeof attributesOfRow>[] } = { of: [], rows: [] }

await serve(async (_engine, url) => {
  process.env[urlVariable(database.name)] = url
  return {
    read: async () => (await Order.all().toArray()).length,
    async readFields() {
      let used = 0
      const orders = await Order.all().toArray()
      for (const order of orders) {
        used += order.orderId > 0n && order.customerId > 0n ? 1 : 0
        used += order.orderDate.length + order.amount.length + order.status.length + order.lastUpdated.length
        used += order.note?.length ?? 0
      }
      if (used === 0) throw new Error('no field was read')
      return orders.length
    },
    prepare(rows) {
      if (prepared.of !== rows) prepared = { of: rows, rows: rows.map(attributesOfRow) }
    },
    async upsert() {
      const { rejected } = await TargetOrder.upsertAll(prepared.rows, { by: 'orderId' })
      if (rejected.length > 0) throw new Error(`${rejected.length} rows were rejected`)
    },
    close: closeDatabases,
  }
})
