import { gatherHandler } from 'dray/lambda'

export const handler = gatherHandler()
