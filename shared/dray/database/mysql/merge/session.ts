import type { SessionFacts } from '../session.ts'
import type { Reply, WireOptions } from '../wire.ts'

/** What a merge needs of its connection. Errors are the driver's. */
export interface MergeSession {
  readonly facts: SessionFacts
  run(sql: string, options?: WireOptions): Promise<Reply>
  /** LOAD DATA, with its file. */
  load(sql: string, options: WireOptions): Promise<Reply>
}
