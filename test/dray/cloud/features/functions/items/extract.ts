import { extractHandler } from 'dray/lambda'
import { items } from './pipeline.ts'

export const handler = extractHandler(items)
