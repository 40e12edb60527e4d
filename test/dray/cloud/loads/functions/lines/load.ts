import { loadHandler } from 'dray/lambda'
import { lines } from './pipeline.ts'

export const handler = loadHandler(lines)
