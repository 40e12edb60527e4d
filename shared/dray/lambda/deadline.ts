import { setMaxListeners } from 'node:events'
import type { Context } from 'aws-lambda'

/** Kept back for the rollback and the error's way out, in ms. */
const MARGIN_MS = 5_000

/** Lambda's context, and what the local runner adds to it. */
export type HandlerContext = Context & { readonly signal?: AbortSignal }

/** Fires before Lambda would cut the call off, so that work stops and its transaction rolls back. */
export function deadlineOf(context: HandlerContext): AbortSignal {
  const remaining = context.getRemainingTimeInMillis()
  const deadline = AbortSignal.timeout(Math.max(0, remaining - Math.min(MARGIN_MS, remaining / 10)))
  const signal = context.signal === undefined ? deadline : AbortSignal.any([deadline, context.signal])
  setMaxListeners(0, signal)
  return signal
}
