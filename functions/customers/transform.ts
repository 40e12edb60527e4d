import { transformHandler } from '#shared/lambda/index.ts'
import { customers } from './pipeline.ts'

export const handler = transformHandler(customers)
