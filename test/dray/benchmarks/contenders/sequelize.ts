import { DataTypes, Sequelize } from 'sequelize'
import { chunksOf } from './contender.ts'
import { serve } from './serve.ts'

const fields = {
  orderId: { type: DataTypes.BIGINT, primaryKey: true, field: 'order_id' },
  customerId: { type: DataTypes.BIGINT, field: 'customer_id' },
  orderDate: { type: DataTypes.DATEONLY, field: 'order_date' },
  amount: { type: DataTypes.DECIMAL(12, 2) },
  status: { type: DataTypes.STRING(20) },
  note: { type: DataTypes.TEXT },
  lastUpdated: { type: DataTypes.DATE(6), field: 'last_updated' },
}
const others = Object.keys(fields).filter((name) => name !== 'orderId')

await serve(async (engine, url) => {
  const sequelize = new Sequelize(url, { dialect: engine, logging: false, pool: { max: 1 } })
  const order = sequelize.define('order', fields, { tableName: 'orders', timestamps: false })
  const target = sequelize.define('target', fields, { tableName: 'orders_target', timestamps: false })
  return {
    read: async () => (await order.findAll()).length,
    upsert: (rows) =>
      sequelize.transaction(async (transaction: unknown) => {
        for (const chunk of chunksOf(rows)) {
          await target.bulkCreate(chunk, { updateOnDuplicate: others, transaction })
        }
      }),
    close: () => sequelize.close(),
  }
})
