import { loadHandler } from 'dray/lambda'
import { listed } from './pipeline.ts'

export const handler = loadHandler(listed)
