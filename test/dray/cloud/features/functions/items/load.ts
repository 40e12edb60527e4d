import { loadHandler } from 'dray/lambda'
import { items } from './pipeline.ts'

export const handler = loadHandler(items)
