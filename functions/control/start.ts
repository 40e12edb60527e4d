import { startHandler } from '#shared/lambda/index.ts'

export const handler = startHandler()
