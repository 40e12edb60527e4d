import { loadHandler } from 'dray/lambda'
import { newest } from './pipeline.ts'

export const handler = loadHandler(newest)
