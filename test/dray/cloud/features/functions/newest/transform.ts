import { transformHandler } from 'dray/lambda'
import { newest } from './pipeline.ts'

export const handler = transformHandler(newest)
