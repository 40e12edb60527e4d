import type { MiddlewareObj } from '@middy/core'
import type * as z from 'zod'
import { TerminalError } from '#dray/errors.ts'
import { checked } from '#dray/messages/message.ts'

/** Refuses a payload that is not what the step takes. */
export function withInput(
  step: string,
  schema: z.ZodType,
  remedy = 'start a run with: dray run <workflow>',
): MiddlewareObj<unknown> {
  return {
    before: (request) => {
      const found = checked(schema, request.event)
      if ('fault' in found) {
        throw new TerminalError(
          `${step} was called with a payload it does not take, so nothing was done: ${found.fault}; ${remedy}`,
        )
      }
      request.event = found.data
    },
  }
}
