import { taskHandler } from 'dray/lambda'
import { updateDataMart } from './task.ts'

export const handler = taskHandler(updateDataMart)
