import { extractHandler } from '#shared/lambda/index.ts'
import { customers } from './pipeline.ts'

export const handler = extractHandler(customers)
