import { janitorHandler } from 'dray/internal/lambda/janitor.ts'

export const handler = janitorHandler()
