import { extractHandler } from 'dray/lambda'
import { firstContacts } from './pipeline.ts'

export const handler = extractHandler(firstContacts)
