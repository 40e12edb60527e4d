import { transformHandler } from 'dray/lambda'
import { orders } from './pipeline.ts'

export const handler = transformHandler(orders)
