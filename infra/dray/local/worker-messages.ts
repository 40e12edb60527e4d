import type { Progress } from 'dray/internal/pipeline/services.ts'

/** What the pool tells a worker. */
export type ToWorker =
  | { readonly type: 'invoke'; readonly invocation: Invocation }
  | { readonly type: 'abort'; readonly id: number; readonly reason: string }
  | { readonly type: 'load'; readonly files: readonly string[] }
  | { readonly type: 'close' }

/** One call of a handler. The payload is JSON text, as Lambda's is. */
export interface Invocation {
  readonly id: number
  /** Absolute path of the file that exports `handler`. */
  readonly file: string
  readonly functionName: string
  readonly payload: string
  readonly requestId: string
  readonly timeoutSeconds: number
}

/** What a worker tells the pool. */
export type FromWorker =
  | { readonly type: 'success'; readonly id: number; readonly payload: string }
  | { readonly type: 'failure'; readonly id: number; readonly error: HandlerFailure }
  | { readonly type: 'progress'; readonly event: Progress }
  | { readonly type: 'closed' }

export interface HandlerFailure {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
}
