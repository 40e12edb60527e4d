import { schemaHandler } from 'dray/lambda'

export const handler = schemaHandler()
