import { extractHandler } from 'dray/lambda'
import { readings } from './pipeline.ts'

export const handler = extractHandler(readings)
