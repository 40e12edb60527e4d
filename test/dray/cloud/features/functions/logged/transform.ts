import { transformHandler } from 'dray/lambda'
import { logged } from './pipeline.ts'

export const handler = transformHandler(logged)
