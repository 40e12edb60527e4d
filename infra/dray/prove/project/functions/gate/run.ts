import { taskHandler } from 'dray/lambda'
import { waitForGate } from './task.ts'

export const handler = taskHandler(waitForGate)
