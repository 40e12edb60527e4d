import { loadHandler } from 'dray/lambda'
import { logged } from './pipeline.ts'

export const handler = loadHandler(logged)
