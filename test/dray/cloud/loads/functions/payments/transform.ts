import { transformHandler } from 'dray/lambda'
import { payments } from './pipeline.ts'

export const handler = transformHandler(payments)
