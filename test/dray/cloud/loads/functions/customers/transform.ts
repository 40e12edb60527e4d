import { transformHandler } from 'dray/lambda'
import { customers } from './pipeline.ts'

export const handler = transformHandler(customers)
