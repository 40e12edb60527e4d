import type { Reply } from '../reply.ts'
import type { RunOptions } from '../session.ts'
import type { SessionFacts } from '../settings.ts'

/** What a merge needs of its connection. Errors are the driver's. */
export interface MergeSession {
  readonly facts: SessionFacts
  /** What stops the statements that may take long. */
  readonly signal: AbortSignal | undefined
  run(sql: string, options?: RunOptions): Promise<Reply>
}
