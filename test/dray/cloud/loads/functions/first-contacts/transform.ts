import { transformHandler } from 'dray/lambda'
import { firstContacts } from './pipeline.ts'

export const handler = transformHandler(firstContacts)
