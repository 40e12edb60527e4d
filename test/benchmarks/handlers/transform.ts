import { transformHandler } from '#shared/lambda/index.ts'
import { orders } from '#test/benchmarks/order-pipelines.ts'

export const handler = transformHandler(orders)
