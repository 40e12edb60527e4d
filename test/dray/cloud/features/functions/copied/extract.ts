import { extractHandler } from 'dray/lambda'
import { copied } from './pipeline.ts'

export const handler = extractHandler(copied)
