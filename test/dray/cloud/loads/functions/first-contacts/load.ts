import { loadHandler } from 'dray/lambda'
import { firstContacts } from './pipeline.ts'

export const handler = loadHandler(firstContacts)
