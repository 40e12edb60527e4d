import { transformHandler } from 'dray/lambda'
import { knownContacts } from './pipeline.ts'

export const handler = transformHandler(knownContacts)
