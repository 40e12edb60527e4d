import { type Timestamp, timestampOf } from '#shared/active-record/index.ts'
import type { RunReference } from './events.ts'

/** When the run started, in UTC; part of the run, so the same for each retry. */
export function startOf(run: RunReference): Timestamp {
  return timestampOf(run.started_at)
}
