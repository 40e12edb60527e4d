import { transformHandler } from 'dray/lambda'
import { copied } from './pipeline.ts'

export const handler = transformHandler(copied)
