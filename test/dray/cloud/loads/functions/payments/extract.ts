import { extractHandler } from 'dray/lambda'
import { payments } from './pipeline.ts'

export const handler = extractHandler(payments)
