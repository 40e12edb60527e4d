import { extractHandler } from 'dray/lambda'
import { knownContacts } from './pipeline.ts'

export const handler = extractHandler(knownContacts)
