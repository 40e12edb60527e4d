import { extractHandler } from 'dray/lambda'
import { kept } from './pipeline.ts'

export const handler = extractHandler(kept)
