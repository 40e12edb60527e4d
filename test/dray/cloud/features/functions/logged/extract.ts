import { extractHandler } from 'dray/lambda'
import { logged } from './pipeline.ts'

export const handler = extractHandler(logged)
