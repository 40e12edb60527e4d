import { startHandler } from 'dray/lambda'

export const handler = startHandler()
