import { extractHandler } from 'dray/lambda'
import { listed } from './pipeline.ts'

export const handler = extractHandler(listed)
