import { loadHandler } from 'dray/lambda'
import { readings } from './pipeline.ts'

export const handler = loadHandler(readings)
