import { finishHandler } from 'dray/lambda'

export const handler = finishHandler()
