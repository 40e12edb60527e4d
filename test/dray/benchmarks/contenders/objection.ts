import knex from 'knex'
import objection from 'objection'
import { chunksOf } from './contender.ts'
import { serve } from './serve.ts'

const { Model, snakeCaseMappers } = objection

await serve(async (engine, url) => {
  const db = knex({ client: engine === 'postgres' ? 'pg' : 'mysql2', connection: url, pool: { min: 1, max: 1 } })
  const modelOf = (tableName: string) =>
    class extends Model {
      static get tableName() {
        return tableName
      }
      static get idColumn() {
        return 'order_id'
      }
      static get columnNameMappers() {
        return snakeCaseMappers()
      }
    }.bindKnex(db)
  const order = modelOf('orders')
  const target = modelOf('orders_target')
  return {
    read: async () => (await order.query()).length,
    upsert: (rows) =>
      target.transaction(async (transaction: unknown) => {
        for (const chunk of chunksOf(rows)) {
          // Objection returns ids, which MySQL cannot for many rows: its guide says insertGraph or knex then.
          if (engine === 'postgres') await target.query(transaction).insert(chunk).onConflict('order_id').merge()
          else {
            const columns = chunk.map((row) => target.fromJson(row).$toDatabaseJson())
            await target.knexQuery().transacting(transaction).insert(columns).onConflict('order_id').merge()
          }
        }
      }),
    close: () => db.destroy(),
  }
})
