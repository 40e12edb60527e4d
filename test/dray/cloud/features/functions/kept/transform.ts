import { transformHandler } from 'dray/lambda'
import { kept } from './pipeline.ts'

export const handler = transformHandler(kept)
