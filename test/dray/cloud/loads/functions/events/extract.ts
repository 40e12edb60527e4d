import { extractHandler } from 'dray/lambda'
import { events } from './pipeline.ts'

export const handler = extractHandler(events)
