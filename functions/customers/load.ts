import { loadHandler } from '#shared/lambda/index.ts'
import { customers } from './pipeline.ts'

export const handler = loadHandler(customers)
