import { loadHandler } from 'dray/lambda'
import { prices } from './pipeline.ts'

export const handler = loadHandler(prices)
