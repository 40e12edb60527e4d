import { loadHandler } from 'dray/lambda'
import { copied } from './pipeline.ts'

export const handler = loadHandler(copied)
