import { startHandler } from 'dray/internal/lambda/start.ts'

export const handler = startHandler()
