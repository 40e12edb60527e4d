import { loadHandler } from 'dray/lambda'
import { kept } from './pipeline.ts'

export const handler = loadHandler(kept)
