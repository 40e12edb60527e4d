import type { MiddlewareObj } from '@middy/core'
import * as z from 'zod'
import { TerminalError } from '#dray/errors.ts'

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
