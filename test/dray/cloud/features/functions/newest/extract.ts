import { extractHandler } from 'dray/lambda'
import { newest } from './pipeline.ts'

export const handler = extractHandler(newest)
