import { transformHandler } from 'dray/lambda'
import { lines } from './pipeline.ts'

export const handler = transformHandler(lines)
