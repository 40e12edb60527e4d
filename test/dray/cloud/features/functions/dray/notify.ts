import { notifyHandler } from 'dray/internal/lambda/notify.ts'

export const handler = notifyHandler()
