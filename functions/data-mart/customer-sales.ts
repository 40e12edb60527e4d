import type { Dialect, TaskResult } from 'dray'
import { CustomerSales, TargetOrder, warehouse } from '#models/warehouse.ts'

/** SQLite keeps amounts as text and would add them up as doubles: whole cents are exact. */
const REVENUE: Readonly<Record<Dialect, string>> = {
  postgres: 'sum(o.order_amount)',
  mysql: 'sum(o.order_amount)',
  sqlite: `printf('%s%d.%02d', iif(sum(cast(round(o.order_amount * 100) as integer)) < 0, '-', ''), abs(sum(cast(round(o.order_amount * 100) as integer))) / 100, abs(sum(cast(round(o.order_amount * 100) as integer))) % 100)`,
}

/**
 * Makes `customer_sales` anew from `order_fact` and `customer_dim`, in one transaction: readers see the former state
 * until it is done. Orders of a customer who is not in `customer_dim` (quarantined, or gone) count all the same, with
 * no name.
 */
export async function refreshCustomerSales(signal: AbortSignal): Promise<TaskResult> {
  await CustomerSales.createTable({ ifMissing: true })
  const { dialect } = await warehouse.adapter()
  return warehouse.transaction(async () => {
    const read = await TargetOrder.count()
    await CustomerSales.deleteAll()
    const { affected } = await warehouse.query(
      `insert into customer_sales (customer_id, full_name, orders, revenue, first_order, last_order)
       select o.customer_id, max(c.full_name), count(*), ${REVENUE[dialect]}, min(o.order_date), max(o.order_date)
       from order_fact o left join customer_dim c on c.id = o.customer_id
       group by o.customer_id`,
      [],
      { signal },
    )
    return { read, inserted: affected }
  })
}
