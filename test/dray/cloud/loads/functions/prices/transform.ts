import { transformHandler } from 'dray/lambda'
import { prices } from './pipeline.ts'

export const handler = transformHandler(prices)
