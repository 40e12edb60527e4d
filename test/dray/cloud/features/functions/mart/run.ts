import { taskHandler } from 'dray/lambda'
import { countItems } from './task.ts'

export const handler = taskHandler(countItems)
