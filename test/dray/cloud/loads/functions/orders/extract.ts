import { extractHandler } from 'dray/lambda'
import { orders } from './pipeline.ts'

export const handler = extractHandler(orders)
