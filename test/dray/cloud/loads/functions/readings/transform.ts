import { transformHandler } from 'dray/lambda'
import { readings } from './pipeline.ts'

export const handler = transformHandler(readings)
