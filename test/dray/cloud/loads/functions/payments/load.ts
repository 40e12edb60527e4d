import { loadHandler } from 'dray/lambda'
import { payments } from './pipeline.ts'

export const handler = loadHandler(payments)
