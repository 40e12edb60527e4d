import { extractHandler } from 'dray/lambda'
import { lines } from './pipeline.ts'

export const handler = extractHandler(lines)
