import * as z from 'zod'
import type { Message } from './message.ts'

/** Which run a task belongs to; in the payload of every task. Built by the state machine's first state. */
export const runReference = z.object({
  /** The execution's name: `$states.context.Execution.Name`. */
  id: z.string().min(1),
  workflow: z.string().min(1),
  /** ISO 8601: `$states.context.Execution.StartTime`. */
  started_at: z.iso.datetime({ offset: true }),
  /** `schedule`, `manual`, `event:<name>`, from the execution's input; `manual` when it says nothing. */
  trigger: z.string(),
})

/** The same as an execution is given it. */
export const givenRun = z.strictObject({
  id: z.string().min(1),
  workflow: z.string().min(1),
  started_at: z.string().min(1),
  trigger: z.string(),
})

export type RunReference = Message<typeof runReference>
