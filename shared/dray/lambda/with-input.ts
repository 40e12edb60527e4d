import type { MiddlewareObj } from '@middy/core'
import * as z from 'zod'
import { TerminalError } from '#dray/errors.ts'
import { changedEntities, runMode } from '#dray/workflow/run-input.ts'

const run = z.object({
  id: z.string().min(1),
  workflow: z.string().min(1),
  started_at: z.iso.datetime({ offset: true }),
  trigger: z.string(),
})
const staged = z.object({
  key: z.string().min(1),
  rows: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  sha256: z.string().length(64),
})
const mode = runMode.nullish()
const only = z.array(z.string()).nullish()
const pipelineInput = z.object({ run, pipeline: z.string().min(1) })
const plannedInput = pipelineInput.extend({
  plan: staged,
  epoch: z.int().positive(),
  planned_by: z.string().min(1).optional(),
})
const extractInput = plannedInput.extend({ partition: z.int().nonnegative() })
const transformInput = extractInput.extend({ extracted: staged })

/** The payloads of `shared/dray/messages/stages.ts`, as they are checked where they come in. */
export const inputs = {
  plan: pipelineInput.extend({ mode, only, entities: changedEntities.nullish() }),
  extract: extractInput,
  transform: transformInput,
  load: transformInput.extend({
    transformed: staged,
    filtered: z.int().nonnegative(),
    quarantined: staged.nullable(),
    findings: staged.nullable(),
  }),
  commit: plannedInput,
  task: z.object({ run, task: z.string().min(1), mode, only }),
  finish: z.object({
    run,
    only,
    steps: z.record(
      z.string(),
      z.looseObject({
        status: z.enum(['success', 'failed', 'skipped', 'refused']),
        reason: z.string().nullable(),
      }),
    ),
  }),
} as const

/** Refuses a payload that is not what the step takes. */
export function withInput(step: string, schema: z.ZodType): MiddlewareObj<unknown> {
  return {
    before: (request) => {
      const parsed = schema.safeParse(request.event)
      if (!parsed.success) {
        throw new TerminalError(
          `${step} was called with a payload it does not take, so nothing was done: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}; start a run with: dray run <workflow>`,
        )
      }
      request.event = parsed.data
    },
  }
}
