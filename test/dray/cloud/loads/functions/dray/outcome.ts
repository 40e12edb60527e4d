import { outcomeHandler } from 'dray/lambda'

export const handler = outcomeHandler()
