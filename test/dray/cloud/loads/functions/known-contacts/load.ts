import { loadHandler } from 'dray/lambda'
import { knownContacts } from './pipeline.ts'

export const handler = loadHandler(knownContacts)
