import { type Timestamp, timestampOf } from '#dray/active-record/values.ts'
import type { RunReference } from '#dray/messages/stages.ts'

/** When the run started, in UTC; part of the run, so the same for each retry. */
export function startOf(run: RunReference): Timestamp {
  return timestampOf(run.started_at)
}
