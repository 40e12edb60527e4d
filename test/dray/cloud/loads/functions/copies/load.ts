import { loadHandler } from 'dray/lambda'
import { copies } from './pipeline.ts'

export const handler = loadHandler(copies)
