import { notifyHandler } from 'dray/lambda'

export const handler = notifyHandler()
