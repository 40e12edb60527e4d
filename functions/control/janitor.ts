import { janitorHandler } from '#shared/lambda/index.ts'

export const handler = janitorHandler()
