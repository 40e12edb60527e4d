import { transformHandler } from 'dray/lambda'
import { events } from './pipeline.ts'

export const handler = transformHandler(events)
