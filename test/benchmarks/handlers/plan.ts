import { planHandler } from '#shared/lambda/index.ts'
import { findOrders } from '#test/benchmarks/order-pipelines.ts'

export const handler = planHandler(findOrders)
