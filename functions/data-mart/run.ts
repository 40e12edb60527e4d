import { taskHandler } from '#shared/lambda/index.ts'
import { updateDataMart } from './task.ts'

export const handler = taskHandler(updateDataMart)
