import type { MiddlewareObj } from '@middy/core'
import { TransientError } from '#dray/errors.ts'
import type { HandlerContext } from './deadline.ts'

function isAbort(error: Error): boolean {
  return error.name === 'AbortError' || error.name === 'TimeoutError'
}

/**
 * Makes the error of a passed deadline one that the States Language retries; sets no response, so a failure stays one.
 */
export function withNamedErrors(): MiddlewareObj<unknown, unknown, Error, HandlerContext> {
  return {
    onError: (request) => {
      const { error } = request
      if (!error || !isAbort(error)) return
      request.error = new TransientError(
        'the deadline passed before the work was done, so it was rolled back; it is tried again. When it stays: a smaller partitionRows for extract, transform and load, indexes over the keys of both tables for a commit that compares them (deletes)',
        { cause: error },
      )
    },
  }
}
