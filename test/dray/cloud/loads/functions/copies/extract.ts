import { extractHandler } from 'dray/lambda'
import { copies } from './pipeline.ts'

export const handler = extractHandler(copies)
