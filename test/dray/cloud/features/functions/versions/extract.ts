import { extractHandler } from 'dray/lambda'
import { versions } from './pipeline.ts'

export const handler = extractHandler(versions)
