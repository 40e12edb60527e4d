import { transformHandler } from 'dray/internal/lambda/index.ts'
import { orders } from '../order-pipelines.ts'

export const handler = transformHandler(orders)
