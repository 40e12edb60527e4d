import { finishHandler } from '#shared/lambda/index.ts'

export const handler = finishHandler()
