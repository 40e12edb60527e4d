import { extractHandler } from 'dray/lambda'
import { prices } from './pipeline.ts'

export const handler = extractHandler(prices)
