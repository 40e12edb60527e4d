import { versionsHandler } from 'dray/internal/lambda/versions.ts'

export const handler = versionsHandler()
