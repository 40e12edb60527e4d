import { transformHandler } from 'dray/lambda'
import { listed } from './pipeline.ts'

export const handler = transformHandler(listed)
