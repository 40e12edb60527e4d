import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { orderTables } from './order-tables.ts'

/** Where `orders` is read and `orders_target` written: two databases, wherever they are. */
export const source = orderTables('bench-source')
export const target = orderTables('bench-target')

const STATUSES = new Set(['pending', 'paid', 'shipped', 'returned', 'cancelled'])

/** As a real one: looks at the fields, tidies text, refuses what it cannot use. */
export const orders = pipeline('bench-orders', {
  extract: fullLoad(source.Order, { partitionRows: Number(process.env.BENCH_PARTITION_ROWS ?? 50_000) }),
  transform: (order, row: RowContext) => {
    const status = order.status.trim().toLowerCase()
    if (!STATUSES.has(status)) return row.reject('status', 'unknown_status')
    if (order.customerId <= 0n) return row.reject('customerId', 'missing')
    return {
      orderId: order.orderId,
      customerId: order.customerId,
      orderDate: order.orderDate,
      amount: order.amount,
      status,
      note: order.note?.trim() ?? null,
      lastUpdated: order.lastUpdated,
    }
  },
  load: upsert(target.TargetOrder, { by: 'orderId' }),
})

export async function findOrders(): Promise<Pipeline> {
  return orders as unknown as Pipeline
}
