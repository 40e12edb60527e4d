import { loadHandler } from 'dray/lambda'
import { events } from './pipeline.ts'

export const handler = loadHandler(events)
