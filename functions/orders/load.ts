import { loadHandler } from '#shared/lambda/index.ts'
import { orders } from './pipeline.ts'

export const handler = loadHandler(orders)
