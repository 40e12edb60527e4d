import { transformHandler } from 'dray/lambda'
import { versions } from './pipeline.ts'

export const handler = transformHandler(versions)
