import { loadHandler } from 'dray/lambda'
import { orders } from './pipeline.ts'

export const handler = loadHandler(orders)
