import { transformHandler } from 'dray/lambda'
import { shopRaw } from './pipeline.ts'

export const handler = transformHandler(shopRaw)
