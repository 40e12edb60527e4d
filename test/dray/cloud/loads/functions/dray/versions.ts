import { versionsHandler } from 'dray/lambda'

export const handler = versionsHandler()
