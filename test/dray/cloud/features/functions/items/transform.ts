import { transformHandler } from 'dray/lambda'
import { items } from './pipeline.ts'

export const handler = transformHandler(items)
