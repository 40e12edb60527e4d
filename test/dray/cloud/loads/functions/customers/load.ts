import { loadHandler } from 'dray/lambda'
import { customers } from './pipeline.ts'

export const handler = loadHandler(customers)
