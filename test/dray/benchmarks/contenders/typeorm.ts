import { DataSource, EntitySchema } from 'typeorm'
import { chunksOf } from './contender.ts'
import { serve } from './serve.ts'

const entity = (name: string, tableName: string, timestamp: string) =>
  new EntitySchema({
    name,
    tableName,
    columns: {
      orderId: { name: 'order_id', type: 'bigint', primary: true },
      customerId: { name: 'customer_id', type: 'bigint' },
      orderDate: { name: 'order_date', type: 'date' },
      amount: { type: 'decimal', precision: 12, scale: 2 },
      status: { type: 'varchar', length: 20 },
      note: { type: 'text', nullable: true },
      lastUpdated: { name: 'last_updated', type: timestamp, precision: 6 },
    },
  })

await serve(async (engine, url) => {
  const timestamp = engine === 'postgres' ? 'timestamptz' : 'datetime'
  const source = new DataSource({
    type: engine === 'postgres' ? 'postgres' : 'mariadb',
    url,
    entities: [entity('order', 'orders', timestamp), entity('target', 'orders_target', timestamp)],
    ...(engine === 'postgres' ? { poolSize: 1 } : { connectorPackage: 'mysql2', poolSize: 1, timezone: 'Z' }),
  })
  await source.initialize()
  return {
    read: async () => (await source.getRepository('order').find()).length,
    upsert: (rows) =>
      source.transaction(async (manager: { upsert(...of: unknown[]): Promise<unknown> }) => {
        for (const chunk of chunksOf(rows)) {
          await manager.upsert('target', chunk, { conflictPaths: ['orderId'], skipUpdateIfNoValuesChanged: false })
        }
      }),
    close: () => source.destroy(),
  }
})
