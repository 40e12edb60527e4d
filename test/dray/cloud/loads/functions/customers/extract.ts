import { extractHandler } from 'dray/lambda'
import { customers } from './pipeline.ts'

export const handler = extractHandler(customers)
