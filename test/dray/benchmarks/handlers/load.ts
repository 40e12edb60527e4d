import { loadHandler } from 'dray/internal/lambda/index.ts'
import { orders } from '../order-pipelines.ts'

export const handler = loadHandler(orders)
