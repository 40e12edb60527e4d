import { loadHandler } from 'dray/lambda'
import { shopRaw } from './pipeline.ts'

export const handler = loadHandler(shopRaw)
