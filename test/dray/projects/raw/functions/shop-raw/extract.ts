import { extractHandler } from 'dray/lambda'
import { shopRaw } from './pipeline.ts'

export const handler = extractHandler(shopRaw)
