import { loadHandler } from 'dray/lambda'
import { versions } from './pipeline.ts'

export const handler = loadHandler(versions)
