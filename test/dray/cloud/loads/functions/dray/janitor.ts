import { janitorHandler } from 'dray/lambda'

export const handler = janitorHandler()
