import { transformHandler } from 'dray/lambda'
import { copies } from './pipeline.ts'

export const handler = transformHandler(copies)
