import { cron, event, run, workflow } from 'dray/workflow'
import { customers } from '#functions/customers/pipeline.ts'
import { updateDataMart } from '#functions/data-mart/task.ts'
import { orders } from '#functions/orders/pipeline.ts'

/** Every night: customers and orders side by side, then the data mart that is made of both. */
export const dailyDataWarehouseUpdate = workflow('daily-data-warehouse-update', {
  steps: [run(customers), run(orders), run(updateDataMart, { after: [customers, orders] })],
  schedule: cron('0 2 * * *', { timezone: 'Europe/Helsinki' }),
  on: event('upstream.orders', 'EntityUpdated'),
})
